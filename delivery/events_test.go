package delivery_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/event"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
	"popelago/store/storetest"
)

// events collects events.
type events struct {
	mu  sync.Mutex
	all []event.Event
}

func (e *events) Happened(one event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
}

func (e *events) take() []event.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// want checks the kind and the account of the events so far, such as "accepted alice@example.test".
func (e *events) want(t *testing.T, want ...string) []event.Event {
	t.Helper()
	all := e.take()
	var got []string
	for _, one := range all {
		got = append(got, fmt.Sprintf("%s %s", one.Kind, one.Address))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Fatalf("events %q, want %q", got, want)
	}
	return all
}

const withID = "Subject: x\r\nmessage-id:\r\n <1234@example.org> (a comment)\r\nTo: y\r\n\r\nMessage-ID: <no@example.org>\r\n"

func TestEventsOfDeliveries(t *testing.T) {
	var got events
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Events: &got}})
	res := deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "alice", "bob", "alice"), withID)
	all := got.want(t, "accepted alice@example.test", "accepted bob@example.test")
	e := all[0]
	row, err := w.Open(t, "alice").Row(1)
	if err != nil {
		t.Fatal(err)
	}
	want := event.Event{
		Kind: event.Accepted, Mailbox: deliverytest.Mailbox("alice"), Address: "alice@example.test", Sender: "sender@example.org",
		Message: res.ID, HeaderID: "1234@example.org", Size: row.Size, Remote: e.Remote, Protocol: "ESMTP", Session: "session.1",
	}
	if e != want || e.Remote.String() != "2001:db8::1" {
		t.Errorf("event\n%+v, want\n%+v", e, want)
	}
}

// Finish refuses a text with an event for each recipient, and one for equal recipients; trials and aborted texts have no event.
func TestEventsOfRefusals(t *testing.T) {
	var got events
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Events: &got}})
	in, err := w.Begin(t.Context(), w.Envelope(t, "alice", "bob", "alice"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.ReadFrom(strings.NewReader("a bare\rCR\r\n"))
	in.Finish(t.Context())
	all := got.want(t, "refused alice@example.test", "refused bob@example.test")
	if e := all[0]; e.Cause == "" || !e.Message.IsZero() {
		t.Errorf("event %+v", e)
	}
	if _, err := w.Try(t.Context(), w.Envelope(t, "alice"), strings.NewReader(withID)); err != nil {
		t.Fatal(err)
	}
	if in, err = w.Begin(t.Context(), w.Envelope(t, "alice")); err != nil {
		t.Fatal(err)
	}
	in.Discard()
	got.want(t)

	if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address("bob"), map[string]string{"quota": "1KiB"}); err != nil {
		t.Fatal(err)
	}
	deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "alice", "bob"), "a: b\r\n\r\n"+strings.Repeat("x\r\n", 1000))
	got.want(t, "accepted alice@example.test", "over-quota bob@example.test")
}

// RCPT refused because of a quota has an event, the first time in 15 minutes for each maildrop. Trials have none.
func TestEventsOfRefusedRCPT(t *testing.T) {
	var got events
	now := time.Now()
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Events: &got, Now: func() time.Time { return now }}})
	for _, local := range []string{"alice", "bob"} {
		if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address(local), map[string]string{"quota": "1KiB"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Directory.AddAlias(t.Context(), deliverytest.Address("team"), store.KindGroup, []mail.Address{deliverytest.Address("alice"), deliverytest.Address("bob")}); err != nil {
		t.Fatal(err)
	}
	before := w.Envelope(t)
	admit := func(size int64, to ...string) {
		t.Helper()
		var accepted delivery.Accepted
		accepted.Add(before.Recipients)
		err := w.AdmitBeside(t.Context(), before, &accepted, w.Envelope(t, to...).Recipients, size)
		if fits := size < 1024; fits != (err == nil) || !fits && !errors.Is(err, quota.ErrOver) {
			t.Fatal(err)
		}
	}
	admit(100, "alice")
	got.want(t)
	if err := w.Admit(t.Context(), w.Envelope(t, "alice").Recipients, 2000); !errors.Is(err, quota.ErrOver) {
		t.Fatal(err)
	}
	got.want(t)
	admit(2000, "alice")
	e := got.want(t, "over-quota alice@example.test")[0]
	if e.Mailbox != deliverytest.Mailbox("alice") || e.Sender != "sender@example.org" || e.Size != 2000 || e.Cause == "" || e.Session != "session.1" || !e.Message.IsZero() {
		t.Errorf("event %+v", e)
	}
	admit(3000, "alice")
	got.want(t)
	admit(2000, "team")
	got.want(t, "over-quota bob@example.test")
	var both delivery.Accepted
	if _, err := w.Directory.AddAlias(t.Context(), deliverytest.Address("ally"), store.KindAlias, []mail.Address{deliverytest.Address("alice")}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(15 * time.Minute)
	both.Add(w.Envelope(t, "alice").Recipients)
	if err := w.AdmitBeside(t.Context(), w.Envelope(t, "alice"), &both, w.Envelope(t, "ally").Recipients, 600); !errors.Is(err, quota.ErrOver) {
		t.Fatal(err)
	}
	got.want(t) // one of the two copies fits: the maildrop is not full
	now = now.Add(15 * time.Minute)
	admit(2000, "team")
	got.want(t, "over-quota alice@example.test", "over-quota bob@example.test")
	now = now.Add(-time.Hour) // a clock that was set back
	admit(2000, "bob")
	got.want(t, "over-quota bob@example.test")
}

// A repeated delivery reports the rows of its own, without the rows of the first delivery.
func TestEventsOfARepetition(t *testing.T) {
	var got events
	f := &storetest.Fault{Operation: "AddMessages", Mode: storetest.Half, Class: store.ErrOutcomeUnknown}
	w := deliverytest.New(t, deliverytest.Options{
		Delivery: delivery.Config{Events: &got},
		Wrap:     func(s store.Store) store.Store { return storetest.Faulty(s, f) },
	})
	e := w.Envelope(t, "alice", "bob")
	e.SingleReply = true
	deliverytest.Finish(t, w.Deliverer, e, withID)
	got.want(t, "accepted alice@example.test", "refused bob@example.test")
	deliverytest.Finish(t, w.Deliverer, e, withID)
	got.want(t, "accepted bob@example.test")
}

// An address with another canonical form, and an alias, show the address that RCPT named.
func TestEventsNameTheRecipient(t *testing.T) {
	var got events
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Events: &got}})
	if _, err := w.Directory.AddAlias(t.Context(), deliverytest.Address("sales"), store.KindAlias, []mail.Address{deliverytest.Address("bob")}); err != nil {
		t.Fatal(err)
	}
	deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "sales", "ALICE"), withID)
	all := got.want(t, "accepted bob@example.test", "accepted alice@example.test")
	if all[0].Recipient != "sales@example.test" || all[1].Recipient != "" {
		t.Errorf("recipients %q and %q", all[0].Recipient, all[1].Recipient)
	}
}

// BenchmarkEvents delivers messages of 4 KiB without a listener, and with one.
func BenchmarkEvents(b *testing.B) {
	text := withID + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 55)
	for name, l := range map[string]event.Listener{"without": nil, "with": nothing{}} {
		b.Run(name, func(b *testing.B) {
			w := deliverytest.New(b, deliverytest.Options{Delivery: delivery.Config{Events: l}})
			e := w.Envelope(b, "alice")
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Deliver(b.Context(), e, strings.NewReader(text))[0]; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// nothing is a listener that forgets.
type nothing struct{}

func (nothing) Happened(event.Event) {}
