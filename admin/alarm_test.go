package admin_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// judged returns a server whose accounts have mail of 40 days that nobody has fetched, and have been judged.
func judged(t *testing.T, f *fixture, addresses ...string) *fixture {
	t.Helper()
	var alarms *task.Alarms
	f.config = func(cfg *adminConfig, st store.Store) {
		var err error
		if alarms, err = task.NewAlarms(task.AlarmConfig{Unfetched: 30 * 24 * time.Hour, NotesLogins: true}, st, nil); err != nil {
			t.Fatal(err)
		}
		cfg.Alarms = alarms
	}
	f.start(t)
	dir, err := account.New(account.Config{Argon2Memory: 64, Argon2Time: 1}, store.Single(f.engine).Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := mail.NewIDSource(func() time.Time { return time.Now().Add(-40 * 24 * time.Hour) })
	for _, text := range addresses {
		address, err := mail.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dir.AddDomain(t.Context(), address.Domain); err != nil && !errors.Is(err, account.ErrExists) {
			t.Fatal(err)
		}
		row, err := dir.AddAccount(t.Context(), address, "password")
		if err != nil {
			t.Fatal(err)
		}
		id := ids.Next()
		content, err := f.engine.NewContent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(content, "x"); err != nil {
			t.Fatal(err)
		}
		if err := f.engine.PutContent(t.Context(), id, content, store.ContentInfo{Mailboxes: []mail.MailboxID{row.Mailbox}}); err != nil {
			t.Fatal(err)
		}
		if err := f.engine.AddMessages(t.Context(), []store.Entry{{Mailbox: row.Mailbox, Message: mail.Message{ID: id, Size: 1, Recipient: text}}})[0]; err != nil {
			t.Fatal(err)
		}
	}
	if _, err := alarms.Job().Run(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	return f
}

func addressesOf(alarms []adminclient.Alarm) (all []string) {
	for _, a := range alarms {
		all = append(all, a.Address)
	}
	return all
}

// The list has the alarms of all servers, each maildrop once. A token for a domain sees the accounts of the domain
// alone. A server that does not answer, or has not judged yet, is told.
func TestAlarms(t *testing.T) {
	b := judged(t, (&fixture{token: secretOfAll, process: serverNamed("b"), peers: loopback}).listing(errors.New("b must not ask")), "carol@a.test", "alice@a.test")
	own := store.Server{Name: "a", Datacenter: "dc1", Own: true}
	a := judged(t, (&fixture{token: secretOfAll, process: serverNamed("a"), peers: loopback}).listing(nil, own, at("b", b.serve(t))), "alice@a.test", "bob@b.test")
	url := a.serve(t)
	root := client(t, url, secretOfAll)
	list, err := root.Alarms(t.Context(), adminclient.AlarmFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := addressesOf(list.Alarms); !slices.Equal(got, []string{"alice@a.test", "bob@b.test", "carol@a.test"}) || !list.Complete || list.More != 0 || list.Judged == nil {
		t.Errorf("%v, %+v", got, list)
	}
	if x := list.Alarms[0]; x.Kind != adminclient.AlarmUnfetched || x.LastLogin != nil || time.Since(x.Since) < 39*24*time.Hour || !x.Since.Equal(x.Oldest) {
		t.Errorf("%+v", x)
	}
	if list, err := root.Alarms(t.Context(), adminclient.AlarmFilter{Kind: adminclient.AlarmGrowing}, 0); err != nil || len(list.Alarms) != 0 || list.More != 0 {
		t.Errorf("growing: %+v, %v", list, err)
	}
	if list, err := root.Alarms(t.Context(), adminclient.AlarmFilter{Local: true}, 1); err != nil || len(list.Alarms) != 1 || list.More != 1 {
		t.Errorf("one of two: %+v, %v", list, err)
	}
	scoped, _ := made(t, url, root, "read-only", "domain:b.test")
	if list, err := scoped.Alarms(t.Context(), adminclient.AlarmFilter{Local: true}, 0); err != nil || !slices.Equal(addressesOf(list.Alarms), []string{"bob@b.test"}) || list.More != 0 {
		t.Errorf("with a token for b.test: %+v, %v", list, err)
	}

	fresh := (&fixture{process: serverNamed("a"), peers: loopback}).listing(nil, own, at("b", b.serve(t)), at("silent", "")).start(t)
	list, err = fresh.unix(t).Alarms(t.Context(), adminclient.AlarmFilter{}, 0)
	if err != nil || list.Complete || list.Judged != nil || !slices.Equal(addressesOf(list.Alarms), []string{"alice@a.test", "carol@a.test"}) {
		t.Errorf("with a server that has not judged, and a silent server: %+v, %v", list, err)
	}
}
