package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// sleeper is the mail of a server whose machine is suspended at a moment, and wakes up with a clock that stands
// behind, runs ahead, or is right.
type sleeper struct {
	store.Mail
	during string // the call that the machine is suspended in
	wake   func()
	clock  error // what CompareClock finds after waking
	awake  bool
	added  []mail.MessageID
}

func (s *sleeper) sleep(call string) {
	if s.during == call {
		s.awake = true
		s.wake()
	}
}

func (s *sleeper) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	defer s.sleep("PutContent")
	return s.Mail.PutContent(ctx, id, c, info)
}

func (s *sleeper) AddMessages(ctx context.Context, entries []store.Entry) []error {
	for _, e := range entries {
		s.added = append(s.added, e.Message.ID)
	}
	defer s.sleep("AddMessages")
	return s.Mail.AddMessages(ctx, entries)
}

func (s *sleeper) CompareClock(ctx context.Context) error {
	if s.awake && s.clock != nil {
		return s.clock
	}
	return s.Mail.CompareClock(ctx)
}

// A machine is suspended while it copies a message. The copy of an id that is too old by then, or by a clock that is
// wrong, is no copy: the original stays, and no row of the copy. Later the message is copied after all.
func TestSuspendedWhileCopying(t *testing.T) {
	for name, c := range map[string]struct {
		slept time.Duration // by the clock
		clock error
		want  error
	}{
		"the clock shows it":         {10 * time.Minute, nil, store.ErrTooOld},
		"the clock is behind":        {0, store.ErrClock, store.ErrClock},
		"the clock was set back":     {-10 * time.Minute, nil, store.ErrClock},
		"a short sleep does nothing": {time.Minute, nil, nil},
	} {
		for _, during := range []string{"PutContent", "AddMessages"} {
			t.Run(name+" in "+during, func(t *testing.T) {
				r := newLateRig(t)
				slept := time.Duration(0)
				s := &sleeper{Mail: r.st, during: during, wake: func() { slept = c.slept }, clock: c.clock}
				l := task.NewLate(r.dir, storetest.WithMail(store.Single(r.st), s), r.ids, func() time.Time { return time.Now().Add(slept) })
				before := r.octets(r.alice.Mailbox)
				n, err := l.HandOver(t.Context(), task.LateSelection{Address: r.alice.Address, Message: r.late[0].ID}, r.bob.Address)
				if !errors.Is(err, c.want) || (n == 1) != (c.want == nil) {
					t.Fatalf("%d handed over, %v; want %v", n, err, c.want)
				}
				if c.want == nil {
					return
				}
				if len(r.octets(r.alice.Mailbox)) != len(before) {
					t.Error("the original is gone")
				}
				if during == "PutContent" && len(s.added) > 0 {
					t.Error("a row was written under an id that may be too old")
				}
				rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, mail.MessageID{}, 10)
				if err != nil || slices.ContainsFunc(rows, func(m mail.Message) bool { return slices.Contains(s.added, m.ID) }) {
					t.Errorf("the copy stays: %v, %v", rows, err)
				}
				l = task.NewLate(r.dir, store.Single(r.st), r.ids, nil)
				if n, err := l.HandOver(t.Context(), task.LateSelection{Address: r.alice.Address}, r.bob.Address); err != nil || n != 2 {
					t.Errorf("later: %d, %v", n, err)
				}
				if got := r.octets(r.bob.Mailbox)[r.late[0].UniqueID()]; got != before[r.late[0].UniqueID()] {
					t.Errorf("bob has %q", got)
				}
			})
		}
	}
}

// A server stopped in the middle of a hand-over, and wrote its row when the content had been removed as left over. Such
// a row is no copy.
func TestHandOverWithoutContent(t *testing.T) {
	r := newLateRig(t)
	late := r.late[0]
	row := late
	row.ID, row.UIDL = r.ids.Next(), late.UniqueID()
	if err := r.st.AddMessages(t.Context(), []store.Entry{{Mailbox: r.bob.Mailbox, Message: row}})[0]; err != nil {
		t.Fatal(err)
	}
	l := task.NewLate(r.dir, store.Single(r.st), r.ids, nil)
	if n, err := l.HandOver(t.Context(), task.LateSelection{Address: r.alice.Address, Message: late.ID}, r.bob.Address); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, row.ID, 10)
	if err != nil || len(rows) != 1 || rows[0].UniqueID() != late.UniqueID() {
		t.Fatalf("behind the row without content: %v, %v", rows, err)
	}
	_, body, err := r.st.OpenContent(t.Context(), rows[0].ID, rows[0].Origin)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
}

// meeting is the mail of a server whose row of a copy arrives, and whose write then fails. Meanwhile another server does
// the same work.
type meeting struct {
	store.Mail
	other func()
	blind bool // no message can be read afterwards
	met   bool
}

func (s *meeting) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	if s.met && s.blind {
		return mail.Message{}, store.ErrUnavailable
	}
	return s.Mail.Message(ctx, mailbox, id)
}

func (s *meeting) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if err := s.Mail.AddMessages(ctx, entries)[0]; err != nil {
		return []error{err}
	}
	if s.other != nil {
		s.other()
	}
	s.met = true
	return []error{store.ErrOutcomeUnknown}
}

// Two servers hand the same message over. The second takes the copy of the first for complete, and removes the original:
// the first, after a fault, must not take its copy back, even if it cannot look for the original.
func TestHandOverOnTwoServers(t *testing.T) {
	for _, blind := range []bool{false, true} {
		r := newLateRig(t)
		s := task.LateSelection{Address: r.alice.Address, Message: r.late[0].ID}
		want := r.octets(r.alice.Mailbox)[r.late[0].UniqueID()]
		second := task.NewLate(r.dir, store.Single(r.st), r.ids, nil)
		mail := &meeting{Mail: r.st, blind: blind, other: func() {
			if n, err := second.HandOver(t.Context(), s, r.bob.Address); err != nil || n != 1 {
				t.Errorf("the second: %d, %v", n, err)
			}
		}}
		first := task.NewLate(r.dir, storetest.WithMail(store.Single(r.st), mail), r.ids, nil)
		if n, err := first.HandOver(t.Context(), s, r.bob.Address); n != 0 || !errors.Is(err, store.ErrOutcomeUnknown) {
			t.Errorf("the first: %d, %v", n, err)
		}
		if got := r.octets(r.bob.Mailbox)[r.late[0].UniqueID()]; got != want {
			t.Errorf("blind %v: bob has %q", blind, got)
		}
	}
}
