package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// ledger writes to a store and records the attempts and the acknowledged writes, so that the store can be
// checked after a fault or a crash.
type ledger struct {
	ids *mail.IDSource
	// ctx of all calls.
	ctx context.Context

	mu sync.Mutex
	facts
}

type facts struct {
	addTried, addAcked       map[ledgerKey]bool
	removeTried, removeAcked map[ledgerKey]bool
	size                     map[mail.MessageID]int
	passwordTried            int
	passwordAcked            int
}

type ledgerKey struct {
	mailbox int
	id      mail.MessageID
}

const ledgerMailboxes = 3

func newLedger(ctx context.Context) *ledger {
	return &ledger{ctx: ctx, ids: mail.NewIDSource(nil), facts: facts{
		addTried: map[ledgerKey]bool{}, addAcked: map[ledgerKey]bool{},
		removeTried: map[ledgerKey]bool{}, removeAcked: map[ledgerKey]bool{},
		size: map[mail.MessageID]int{},
	}}
}

func (l *ledger) snapshot() facts {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.facts
	f.addTried, f.addAcked = maps.Clone(f.addTried), maps.Clone(f.addAcked)
	f.removeTried, f.removeAcked = maps.Clone(f.removeTried), maps.Clone(f.removeAcked)
	f.size = maps.Clone(f.size)
	return f
}

// ledgerData returns the content of a message: size octets that depend on the id. Half of all contents can be
// compressed.
func ledgerData(id mail.MessageID, size int) []byte {
	if id[9]&1 == 1 {
		b := make([]byte, size)
		rand.NewChaCha8([32]byte(append(id[:], id[:]...))).Read(b)
		return b
	}
	b := bytes.Repeat([]byte(id.String()+"\r\n"), size/38+1)[:size]
	for i := 0; i+8 <= size; i += 4096 {
		copy(b[i:], strconv.Itoa(i))
	}
	return b
}

// deliver stores one message for several mailboxes.
func (l *ledger) deliver(s store.Mail, size int, mailboxes ...int) (mail.MessageID, error) {
	id := l.ids.Next()
	info := store.ContentInfo{ReversePath: "sender@example.org"}
	var entries []store.Entry
	l.mu.Lock()
	l.size[id] = size
	for _, mb := range mailboxes {
		info.Mailboxes = append(info.Mailboxes, benchMailbox(mb))
		entries = append(entries, store.Entry{Mailbox: benchMailbox(mb), Message: mail.Message{ID: id, Size: int64(size), Recipient: "u@example.test"}})
		l.addTried[ledgerKey{mb, id}] = true
	}
	l.mu.Unlock()
	return id, l.retry(func() error {
		if err := storetest.Put(l.ctx, s, id, ledgerData(id, size), 10_000, info); err != nil {
			return err
		}
		errs := s.AddMessages(l.ctx, entries)
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, err := range errs {
			if err == nil {
				l.addAcked[ledgerKey{mailboxes[i], id}] = true
			}
		}
		return errors.Join(errs...)
	})
}

func (l *ledger) remove(s store.Mail, mb int, ids ...mail.MessageID) error {
	l.mark(func(id mail.MessageID) { l.removeTried[ledgerKey{mb, id}] = true }, ids)
	return l.retry(func() error {
		err := s.RemoveMessages(l.ctx, benchMailbox(mb), ids)
		if err == nil {
			l.mark(func(id mail.MessageID) { l.removeAcked[ledgerKey{mb, id}] = true }, ids)
		}
		return err
	})
}

func (l *ledger) mark(f func(mail.MessageID), ids []mail.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		f(id)
	}
}

var ledgerAddress = mail.Address{Local: "alice", Domain: "example.test"}

// changePassword must not be called concurrently.
func (l *ledger) changePassword(s store.Directory) error {
	l.mu.Lock()
	l.passwordTried++
	n := l.passwordTried
	l.mu.Unlock()
	p, kind := strconv.Itoa(n), store.KindAccount
	return l.retry(func() error {
		err := s.ChangeAddress(l.ctx, ledgerAddress, mail.MessageID{}, store.AddressChange{Kind: &kind, Password: &p})
		if err == nil {
			l.mu.Lock()
			l.passwordAcked = n
			l.mu.Unlock()
		}
		return err
	})
}

// retryLimit is the time within which the store must be usable again after a fault.
const retryLimit = 2 * time.Minute

// retry repeats a call that was unavailable or has an unknown outcome, as a client would.
func (l *ledger) retry(do func() error) error {
	end := time.Now().Add(retryLimit)
	for {
		err := do()
		if err == nil || !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrOutcomeUnknown) ||
			errors.Is(err, store.ErrClosed) || errors.Is(err, context.Canceled) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("still failing after %v: %w", retryLimit, err)
		}
		wait(l.ctx, time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// verify checks s against the writes acknowledged before a moment and the writes tried by then.
func verify(ctx context.Context, s store.Engine, before, after facts) error {
	present := map[ledgerKey]bool{}
	for mb := range ledgerMailboxes {
		rows, err := storetest.List(ctx, s, benchMailbox(mb), 100)
		if err != nil {
			return err
		}
		for _, m := range rows {
			k := ledgerKey{mb, m.ID}
			present[k] = true
			if !after.addTried[k] {
				return fmt.Errorf("mailbox %d has message %s that nobody added", mb, m.ID)
			}
			if before.removeAcked[k] {
				return fmt.Errorf("mailbox %d: removed message %s is back", mb, m.ID)
			}
			if m.Size != int64(after.size[m.ID]) {
				return fmt.Errorf("mailbox %d: message %s has size %d, want %d", mb, m.ID, m.Size, after.size[m.ID])
			}
			info, data, err := storetest.Read(ctx, s, m.ID)
			if err != nil {
				return fmt.Errorf("mailbox %d: content of %s (%d octets): %w", mb, m.ID, after.size[m.ID], err)
			}
			if !bytes.Equal(data, ledgerData(m.ID, after.size[m.ID])) || info.ReversePath != "sender@example.org" {
				return fmt.Errorf("mailbox %d: content of %s differs", mb, m.ID)
			}
		}
	}
	for k := range before.addAcked {
		if !after.removeTried[k] && !present[k] {
			return fmt.Errorf("mailbox %d: acknowledged message %s (%d octets) is lost", k.mailbox, k.id, after.size[k.id])
		}
	}
	rows, err := s.AddressRows(ctx, ledgerAddress)
	if err != nil {
		return err
	}
	n := 0
	if len(rows) > 0 {
		if n, err = strconv.Atoi(rows[0].Password); err != nil || rows[0].Kind != store.KindAccount {
			return fmt.Errorf("half an address row: %+v", rows[0])
		}
	}
	if n < before.passwordAcked || n > after.passwordTried {
		return fmt.Errorf("password number %d, want %d to %d", n, before.passwordAcked, after.passwordTried)
	}
	return nil
}

// scriptSizes fill the memory table of small several times.
var scriptSizes = []int{
	0, 100, 8 << 10, 32 << 10, 40_000, 150_000, 30_000, 8000, 30_000, 10, 30_000, 30_000, 66_000,
}

// script is a workload that meets every kind of write, alone.
func (l *ledger) script(s *embedded.Store) error {
	var all []mail.MessageID
	for i, size := range scriptSizes {
		id, err := l.deliver(s, size, i%ledgerMailboxes, (i+1)%ledgerMailboxes)
		if err != nil {
			return err
		}
		all = append(all, id)
		if err := l.changePassword(s); err != nil {
			return err
		}
	}
	for i, id := range all[:9] {
		if err := l.remove(s, i%ledgerMailboxes, id, l.ids.Next()); err != nil {
			return err
		}
		if i%2 == 0 {
			if err := l.remove(s, (i+1)%ledgerMailboxes, id); err != nil {
				return err
			}
		}
	}
	err := l.retry(func() error {
		_, err := s.Sweep(l.ctx, time.Now().Add(48*time.Hour))
		return err
	})
	if err != nil {
		return err
	}
	_, err = l.deliver(s, 70_000, 0, 1, 2)
	return err
}

// check verifies a store at rest, and that the store still works.
func (l *ledger) check(t *testing.T, s *embedded.Store) {
	t.Helper()
	f := l.snapshot()
	if err := l.retry(func() error { return verify(l.ctx, s, f, f) }); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{500, 50_000} {
		if _, err := l.deliver(s, size, 0); err != nil {
			t.Fatalf("deliver afterwards: %v", err)
		}
	}
	f = l.snapshot()
	if err := verify(l.ctx, s, f, f); err != nil {
		t.Fatal(err)
	}
}
