package admin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

func TestActivity(t *testing.T) {
	fault := &storetest.Fault{Lasting: true}
	fault.Off.Store(true)
	f := &fixture{wrap: func(st store.Store) store.Store { return storetest.Faulty(st, fault) }}
	c := f.start(t).unix(t)
	ctx := t.Context()
	addBounded(t, c)
	show := func() adminclient.AccountDetail {
		t.Helper()
		a, err := c.Account(ctx, "alice@example.test")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := show()
	if len(a.Missing) > 0 || a.LastLogin != nil || a.LastDelivery != nil || a.Oldest != nil || *a.Messages != 0 || *a.Octets != 0 || a.Unfetched != nil || a.NotesRetrievals {
		t.Errorf("a new account: %+v", a)
	}
	mailbox := mailboxID(t, a.Mailbox)
	now := time.Now().UTC().Truncate(time.Microsecond)
	ids := make([]mail.MessageID, 0, 2345)
	for age := cap(ids); age > 0; age-- {
		ids = append(ids, mail.NewIDSource(func() time.Time { return now.Add(-time.Duration(age) * time.Minute) }).Next())
	}
	for some := range slices.Chunk(ids, 500) {
		entries := make([]store.Entry, len(some))
		for i, id := range some {
			entries[i] = store.Entry{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 10}}
		}
		for _, err := range f.engine.AddMessages(ctx, entries) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.engine.NoteLogin(ctx, mailbox, now); err != nil {
		t.Fatal(err)
	}
	if err := f.engine.NoteRetrieved(ctx, mailbox, ids[100:2000], now, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := c.SetAccountSettings(ctx, "alice@example.test", map[string]string{"retention_after_retrieval": "14d"}); err != nil {
		t.Fatal(err)
	}
	a = show()
	if len(a.Missing) > 0 || !a.LastLogin.Equal(now) || !a.LastDelivery.Equal(ids[2344].Time()) || !a.Oldest.Equal(ids[0].Time()) ||
		*a.Messages != 2345 || *a.Octets != 23450 || !a.NotesRetrievals || *a.Unfetched != 445 {
		t.Errorf("%+v", a)
	}

	// A part that fails is missing, and never zero; the log has the cause.
	for operation, test := range map[string]struct {
		missing []string
		known   bool // of the maildrop
	}{
		"LastLogin":         {[]string{adminclient.PartLogin}, true},
		"ListMessages":      {[]string{adminclient.PartMaildrop, adminclient.PartRetrievals}, false},
		"RetrievedMessages": {[]string{adminclient.PartRetrievals}, true},
	} {
		fault.Operation = operation
		fault.Off.Store(false)
		a := show()
		fault.Off.Store(true)
		if !slices.Equal(a.Missing, test.missing) || (a.Messages != nil) != test.known || (a.Octets != nil) != test.known || (a.Oldest != nil) != test.known ||
			(a.LastLogin != nil) == (operation == "LastLogin") || (a.Unfetched != nil) == (operation != "LastLogin") {
			t.Errorf("%s: %+v", operation, a)
		}
		if !strings.Contains(f.log.String(), "injected") {
			t.Errorf("%s: the log lacks the cause", operation)
		}
	}
	fault.Operation = "AddressRows"
	fault.Off.Store(false)
	_, err := c.Account(ctx, "alice@example.test")
	wantStatus(t, "the account itself", err, http.StatusServiceUnavailable, "")
}
