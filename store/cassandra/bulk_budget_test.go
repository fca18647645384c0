package cassandra_test

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// The statement budget of bulk mailboxes.
func TestStatementBudgetBulk(t *testing.T) {
	for {
		began := dayOf(time.Now())
		faults := overBudgetBulk(t)
		if dayOf(time.Now()) != began {
			continue // a list reads one day more from midnight on
		}
		for _, fault := range faults {
			t.Error(fault)
		}
		return
	}
}

func overBudgetBulk(t *testing.T) (faults []string) {
	cfg := config(t)
	cfg.Window = time.Hour
	s := open(t, cfg)
	other := reopen(t, cfg)
	mb, now := mailbox("bulk"), time.Now()
	since := now.Add(-49 * time.Hour)
	days := daysFrom(since)
	day := func(n int) mail.Message { return at(now.Add(-time.Duration(n) * 24 * time.Hour)) }
	before := at(since.Add(-time.Hour))
	three := []mail.Message{day(0), day(1), day(2)}
	var many, unlisted []mail.Message
	deliver := func() error {
		m := message(10)
		put(t, s, m.ID, 10, mb)
		addBulk(t, s, mb, since, m)
		return nil
	}
	login := func(s store.Engine) func() error {
		return func() error { _, err := list(t.Context(), s, mb); return err }
	}
	return overBudget(t, []operation{
		{"deliver, the first of a process", nil, deliver, 3, 0},
		{"deliver", nil, deliver, 2, 0},
		{"deliver what is older than the moment it became bulk", nil, func() error { addBulk(t, s, mb, since, before); return nil }, 1, 0},
		{"first login", func() { addBulk(t, s, mb, since, three...) }, login(s), 0, 2 + days},
		{"login", nil, login(s), 0, 1 + days},
		{"Message", nil, func() error { _, err := s.Message(t.Context(), mb, three[1].ID); return err }, 0, 1},
		{"Message in the ordinary segment", nil, func() error { _, err := s.Message(t.Context(), mb, before.ID); return err }, 0, 1},
		{"DELE of 3 days, QUIT", nil, func() error { return s.RemoveMessages(t.Context(), mb, idsOf(three...)) }, 1 + 3, 0},
		{"DELE x 500 of one day, QUIT", func() {
			for range 500 {
				many = append(many, message(1))
			}
			addBulk(t, s, mb, since, many...)
			if err := login(s)(); err != nil {
				t.Fatal(err)
			}
		}, func() error { return s.RemoveMessages(t.Context(), mb, idsOf(many...)) }, 2, 0},
		{"DELE of what was there before, QUIT", nil, func() error { return s.RemoveMessages(t.Context(), mb, idsOf(before)) }, 2, 0},
		{"removal of what this process did not list", func() {
			unlisted = []mail.Message{day(0), day(0), day(1)}
			addBulk(t, other, mb, since, unlisted...)
		}, func() error { return s.RemoveMessages(t.Context(), mb, idsOf(unlisted...)) }, 2 + 2, 0},
		{"removal by a process that listed nothing", nil, func() error { return reopen(t, cfg).RemoveMessages(t.Context(), mb, idsOf(day(0))) }, 3, 0},
		{"make bulk", nil, func() error { _, err := s.SetBulk(t.Context(), mailbox("another")); return err }, 1, 0},
	})
}
