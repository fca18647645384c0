package nodes

import (
	"context"
	"errors"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/enginetest"
)

// A node is paused: the outcome of a write is unknown, and reads fail. Then the node resumes, and
// so does the store.
func TestPausedNode(t *testing.T) {
	cfg := config(t)
	patient := enginetest.Open(t, cfg)
	mb, m := enginetest.Mailbox("a"), enginetest.Message(10)
	enginetest.Put(t, patient, m.ID, 10, mb)
	enginetest.Add(t, patient, mb, m)
	s := impatient(t, cfg)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		_, err := enginetest.List(t.Context(), s, mb)
		return err
	})
	resume := enginetest.Pause(t, cluster.Get(t).Node("dc1-1"))
	defer resume()
	late := enginetest.Message(11)
	enginetest.WantClass(t, "AddMessages", s.AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: late}})[0], store.ErrOutcomeUnknown)
	c, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	enginetest.WantClass(t, "PutContent", s.PutContent(t.Context(), late.ID, c, store.ContentInfo{}), store.ErrOutcomeUnknown)
	enginetest.WantClass(t, "RemoveMessages", s.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}), store.ErrOutcomeUnknown)
	_, err = enginetest.List(t.Context(), s, mb)
	enginetest.WantClass(t, "ListMessages", err, store.ErrUnavailable)
	_, _, err = s.OpenContent(t.Context(), m.ID, "")
	enginetest.WantClass(t, "OpenContent", err, store.ErrUnavailable)
	_, err = s.Domain(t.Context(), "example.test")
	enginetest.WantClass(t, "Domain", err, store.ErrUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // the statement is sent by then
	defer cancel()
	err = patient.AddMessages(ctx, []store.Entry{{Mailbox: mb, Message: late}})[0]
	enginetest.WantClass(t, "AddMessages until its context ended", err, store.ErrOutcomeUnknown)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not tell of the context", err)
	}
	enginetest.WantClass(t, "AddMessages after that", patient.AddMessages(ctx, []store.Entry{{Mailbox: mb, Message: late}})[0], store.ErrUnavailable)

	resume()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		return s.AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: late}})[0]
	})
	mailtest.WaitFor(t, 10*time.Minute, func() error { return s.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}) })
	rows, err := enginetest.List(t.Context(), patient, mb)
	if err != nil || len(rows) != 1 || rows[0].ID != late.ID {
		t.Errorf("after all: %v, %v", rows, err)
	}
}

// Close ends while the driver looks for a paused node, and when the node resumes in the middle of
// Close.
func TestCloseWithoutNode(t *testing.T) {
	cfg := config(t)
	enginetest.Apply(t, cfg)
	s := impatient(t, cfg)
	resume := enginetest.Pause(t, cluster.Get(t).Node("dc1-1"))
	defer resume()
	// The driver asks its control connection for a sign of life every 5 s.
	paused := time.Now()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if time.Since(paused) < 6*time.Second {
			return errors.New("the driver may not know yet")
		}
		return nil
	})
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	time.AfterFunc(time.Second, resume) // Close waits for the driver by then
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Minute):
		t.Error("Close does not return")
	}
}

// A node is down: no write happens, and the errors say so. The node comes back, and the store resumes
// with all acknowledged data, without a new Open. It also does if all nodes have moved to new addresses meanwhile, and their
// names lead to them.
func TestKilledNode(t *testing.T) {
	cfg := config(t)
	cfg.Reconnect = 200 * time.Millisecond
	node := cluster.Get(t).Node("dc1-1")
	const name = "node.example."
	dns.set(name, node.Address)
	cfg.Hosts = []string{name, node.Address}
	s := enginetest.Open(t, cfg)
	mb, m := enginetest.Mailbox("a"), enginetest.Message(10)
	enginetest.Put(t, s, m.ID, 300_000, mb)
	enginetest.Add(t, s, mb, m)
	node.Kill()
	// The driver notices by the lost connections.
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		err := s.AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: enginetest.Message(1)}})[0]
		switch {
		case err == nil:
			return errors.New("a node that was killed takes messages")
		case errors.Is(err, store.ErrUnavailable):
			return nil
		}
		return err
	})
	_, err := enginetest.List(t.Context(), s, mb)
	enginetest.WantClass(t, "ListMessages", err, store.ErrUnavailable)
	enginetest.WantClass(t, "RemoveMessages", s.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}), store.ErrUnavailable)
	_, err = s.Sweep(t.Context(), time.Now())
	enginetest.WantClass(t, "Sweep", err, store.ErrUnavailable)
	_, err = s.AddressRows(t.Context(), mail.Address{Local: "a", Domain: "example.test"})
	enginetest.WantClass(t, "AddressRows", err, store.ErrUnavailable)

	resumes := func() {
		t.Helper()
		node.Restart(t)
		var rows []mail.Message
		mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
			rows, err = enginetest.List(t.Context(), s, mb)
			return err
		})
		if len(rows) != 1 || rows[0].ID != m.ID {
			t.Fatalf("after the restart: %v", rows)
		}
		if err := enginetest.Retrieve(t, s, m.ID, 300_000); err != nil {
			t.Error(err)
		}
	}
	resumes()

	node.Kill()
	if err := cluster.Get(t).Move(node); err != nil {
		t.Fatal(err)
	}
	dns.set(name, node.Address)
	resumes()
}
