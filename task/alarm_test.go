package task_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// alarmed returns the alarms as words: kind and local-part.
func alarmed(a *task.Alarms) (words []string) {
	all, _, _ := a.List()
	for _, alarm := range all {
		words = append(words, alarm.Kind+" "+alarm.Address.Local)
	}
	return words
}

// oldAccount makes an account that is 100 days old, and returns its mailbox.
func oldAccount(t *testing.T, st store.Directory, dir *account.Directory, name string) mail.MailboxID {
	t.Helper()
	a := newAccount(t, dir, name)
	address := mail.Address{Local: name, Domain: "example.test"}
	if err := st.ChangeAddress(t.Context(), address, mail.MessageID{}, store.AddressChange{Created: new(time.Now().Add(-100 * day))}); err != nil {
		t.Fatal(err)
	}
	return a.Mailbox
}

// loginFault is a store that cannot read logins while broken is set.
type loginFault struct {
	store.Engine
	broken *bool
}

// LastLogin implements store.Logins.
func (s loginFault) LastLogin(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	if *s.broken {
		return time.Time{}, store.ErrUnavailable
	}
	return s.Engine.LastLogin(ctx, mailbox)
}

// Mail that nobody has fetched, and maildrops that grow out of character, are found from messages and logins alone.
func TestAlarms(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	now := time.Now()
	add := func(name string, ages ...time.Duration) mail.MailboxID {
		mailbox := oldAccount(t, st, dir, name)
		for _, age := range ages {
			aged(t, st, mailbox, age)
		}
		return mailbox
	}
	flood := func(n int, age time.Duration) []time.Duration { return slices.Repeat([]time.Duration{age}, n) }
	login := func(mailbox mail.MailboxID, age time.Duration) {
		if err := st.NoteLogin(t.Context(), mailbox, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	add("empty")
	add("young", 20*day)
	add("forgotten", 40*day, day)
	login(add("left", 40*day, day), 31*day)
	login(add("keeper", 40*day, day), 3*day) // leaves mail on the server
	retain(t, st, "young", 30*day)
	add("expired", 60*day) // the retention ends first
	retain(t, st, "expired", 50*day)
	add("flooded", append(flood(30, time.Hour), 5*day, 4*day)...)
	add("busy", append(flood(30, time.Hour), append(flood(30, 3*day), flood(30, 5*day)...)...)...)
	login(add("emptied", flood(30, time.Hour)...), 3*time.Hour)              // empties its maildrop each day
	login(add("weekly", flood(30, time.Hour)...), 40*time.Hour)              // no character since its login
	login(add("stays", append(flood(30, 5*time.Hour), 6*day)...), time.Hour) // the login left the messages
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	cfg := task.AlarmConfig{
		Unfetched: 30 * day, Growing: 20, Factor: 10, NotesLogins: true,
		Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	alarms, err := task.NewAlarms(cfg, store.Single(st), reg)
	if err != nil {
		t.Fatal(err)
	}
	if words := alarmed(alarms); len(words) > 0 {
		t.Errorf("before a run: %v", words)
	}
	report := run(t, alarms.Job())
	want := []string{"growing flooded", "growing stays", "unfetched forgotten", "unfetched left"}
	if got := alarmed(alarms); !slices.Equal(got, want) {
		t.Errorf("alarms %v, want %v", got, want)
	}
	if want := (task.Report{{Name: "looked", N: 11}, {Name: "unfetched", N: 2}, {Name: "growing", N: 2}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	if v := gather(t, reg); v["alarms unfetched"] != 2 || v["alarms growing"] != 2 {
		t.Errorf("metrics %v", v)
	}
	if text := log.String(); !strings.Contains(text, "unfetched=2 growing=2") || strings.Contains(text, "forgotten") {
		t.Errorf("log: %s", text)
	}
	all, counts, ended := alarms.List()
	if counts[task.AlarmGrowing] != 2 || !ended.Equal(now) || all[0].Day != 30 || all[0].Usual < 0.2 || all[0].Usual > 0.4 || !all[0].LastLogin.IsZero() {
		t.Errorf("%v, %v, %+v", counts, ended, all[0])
	}
	if since := all[3].Since; !since.Equal(now.Add(-31 * day).Truncate(time.Microsecond)) {
		t.Errorf("unfetched since %v", since)
	}
}

// Without notes of logins nothing is known about unfetched mail, and each kind of alarm can be turned off.
func TestAlarmsOff(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	now := time.Now()
	alice := oldAccount(t, st, dir, "alice")
	aged(t, st, alice, 40*day)
	aged(t, st, alice, time.Hour)
	for _, cfg := range []task.AlarmConfig{
		{Unfetched: 30 * day, Growing: 100, Factor: 10},
		{Unfetched: 0, Growing: 0, Factor: 10, NotesLogins: true},
	} {
		cfg.Now = func() time.Time { return now }
		alarms, err := task.NewAlarms(cfg, store.Single(st), nil)
		if err != nil {
			t.Fatal(err)
		}
		run(t, alarms.Job())
		if words := alarmed(alarms); len(words) > 0 {
			t.Errorf("%+v: %v", cfg, words)
		}
	}
}

// A maildrop that cannot be read keeps its alarms of the run before, and the run reports the fault.
func TestAlarmsKeepWhatCannotBeJudged(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	now := time.Now()
	for _, name := range []string{"alice", "bob"} {
		aged(t, st, oldAccount(t, st, dir, name), 40*day)
	}
	broken := false
	alarms, err := task.NewAlarms(task.AlarmConfig{
		Unfetched: 30 * day, NotesLogins: true, Now: func() time.Time { return now },
	}, store.Single(loginFault{st, &broken}), nil)
	if err != nil {
		t.Fatal(err)
	}
	job := alarms.Job()
	run(t, job)
	want := []string{"unfetched alice", "unfetched bob"}
	if got := alarmed(alarms); !slices.Equal(got, want) {
		t.Fatalf("%v", got)
	}
	broken = true
	if _, err := job.Run(t.Context(), true); err == nil {
		t.Error("no error")
	}
	if got := alarmed(alarms); !slices.Equal(got, want) {
		t.Errorf("after the fault: %v", got)
	}
}
