package cassandra_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// bulkLoad holds a mailbox in use on several servers, and the expected state of its messages.
type bulkLoad struct {
	mailbox mail.MailboxID
	servers []*cassandra.Store

	mu    sync.Mutex
	since time.Time // the moment in the address
	fates map[mail.MessageID]fate
	sent  []mail.Message
}

// fate holds the expected state of a message.
type fate int

const (
	unsure fate = iota // the add is in flight
	there
	goingAway
	gone
)

func (l *bulkLoad) locked(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// deliver stores messages, each through one server and some also through a second server.
func (l *bulkLoad) deliver(ctx, until context.Context) error {
	for until.Err() == nil {
		m := message(1)
		e := store.Entry{Mailbox: l.mailbox, Message: m}
		l.locked(func() {
			e.Bulk = l.since
			l.sent = append(l.sent, m)
		})
		for range 1 + rand.IntN(2) {
			if err := l.servers[rand.IntN(len(l.servers))].AddMessages(ctx, []store.Entry{e})[0]; err != nil {
				return err
			}
			l.locked(func() { l.fates[m.ID] = max(l.fates[m.ID], there) })
		}
	}
	return nil
}

// session lists all messages and removes some. The list holds every message added before, and no
// message removed before.
func (l *bulkLoad) session(ctx context.Context, s *cassandra.Store) error {
	var before map[mail.MessageID]fate
	l.locked(func() { before = maps.Clone(l.fates) })
	var mine []mail.MessageID
	var after mail.MessageID
	for more := true; more; {
		var rows []mail.Message
		var err error
		if rows, more, err = s.ListMessages(ctx, l.mailbox, after, 1+rand.IntN(50)); err != nil {
			return err
		}
		for _, m := range rows {
			if m.ID.Compare(after) <= 0 {
				return fmt.Errorf("message %s comes behind %s", m.ID, after)
			}
			after = m.ID
			if before[m.ID] == gone {
				return fmt.Errorf("message %s was removed and is there", m.ID)
			}
			delete(before, m.ID)
			if rand.IntN(3) > 0 {
				mine = append(mine, m.ID)
			}
		}
	}
	var missing []mail.MessageID
	l.locked(func() {
		for id, then := range before {
			if then == there && l.fates[id] == there {
				missing = append(missing, id)
			}
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("%d messages are missing: %v", len(missing), missing)
	}
	return l.remove(ctx, s, mine)
}

// remove removes messages from the mailbox.
func (l *bulkLoad) remove(ctx context.Context, s *cassandra.Store, ids []mail.MessageID) error {
	become := func(f fate) {
		l.locked(func() {
			for _, id := range ids {
				l.fates[id] = max(l.fates[id], f)
			}
		})
	}
	become(goingAway)
	if err := s.RemoveMessages(ctx, l.mailbox, ids); err != nil {
		return err
	}
	become(gone)
	return nil
}

// A mailbox becomes bulk while three servers deliver into the mailbox and sessions on all of them
// fetch and remove. No session notices, before the moment, at the moment and after it.
func TestBulkUnderLoad(t *testing.T) {
	cfg := config(t)
	cfg.Window, cfg.FloorEvery = 2*time.Second, 1
	l := &bulkLoad{
		mailbox: mailbox("load"), servers: []*cassandra.Store{open(t, cfg), reopen(t, cfg), reopen(t, cfg)},
		fates: map[mail.MessageID]fate{},
	}
	until, stop := context.WithCancel(t.Context())
	defer stop()
	group, ctx := errgroup.WithContext(t.Context())
	for range 2 {
		group.Go(func() error { return l.deliver(ctx, until) })
	}
	for _, s := range l.servers {
		group.Go(func() error {
			for until.Err() == nil {
				if err := l.session(ctx, s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done(): // a session or a delivery failed
		}
	}
	// sent waits until a message was sent that fits.
	sent := func(fits func(mail.Message) bool) {
		for enough := false; !enough && ctx.Err() == nil; wait(10 * time.Millisecond) {
			l.locked(func() { enough = slices.ContainsFunc(l.sent, fits) })
		}
	}
	wait(time.Second)
	sent(func(mail.Message) bool { return true })
	since, err := l.servers[0].SetBulk(t.Context(), l.mailbox)
	if err != nil {
		t.Fatal(err)
	}
	l.locked(func() { l.since = since })
	wait(time.Until(since.Add(2 * time.Second)))
	sent(func(m mail.Message) bool { return !m.ID.Time().Before(since) })
	stop()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}

	var want []mail.Message
	segments := map[bool]int{}
	for _, m := range l.sent {
		if l.fates[m.ID] == there {
			want = append(want, m)
		}
		segments[m.ID.Time().Before(since)]++
	}
	if len(segments) != 2 {
		t.Errorf("messages before the moment and behind it: %v", segments)
	}
	want = sorted(want...)
	for _, raise := range []bool{false, true} {
		if raise {
			time.Sleep(cfg.Window)
			for _, s := range l.servers {
				if _, err := s.RaiseFloors(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, s := range append(slices.Clone(l.servers), reopen(t, cfg)) {
			wantRows(t, s, l.mailbox, want...)
		}
	}
}
