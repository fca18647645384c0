package delivery_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"popelago/account"
	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// outcome checks the metric of messages by result.
func outcome(t *testing.T, w *deliverytest.World, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	families, err := w.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "popelago_delivery_messages_total" {
			for _, m := range f.GetMetric() {
				got[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
			}
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("messages by result: %v, want %v", got, want)
	}
}

func TestDeliver(t *testing.T) {
	when := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Now: func() time.Time { return when }}})
	const sent = "Return-Path: <other@example.org>\r\nSubject: x\r\n\r\n\x00\xff.\r\n"
	for i, err := range w.Deliver(context.Background(), w.Envelope(t, "alice"), strings.NewReader(sent)) {
		if err != nil {
			t.Errorf("recipient %d: %v", i, err)
		}
	}
	want := "Return-Path: <sender@example.org>\r\nDelivered-To: alice@example.test\r\n" +
		"Received: from client.example ([IPv6:2001:db8::1])\r\n\tby mx.example.test with ESMTP id session.1\r\n" +
		"\tfor <alice@example.test>; Mon, 23 Nov 2026 12:00:00 +0000\r\n" + sent
	if got := w.Messages(t, "alice"); len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	outcome(t, w, map[string]int{"stored": 1})
}

func TestSharedByRecipients(t *testing.T) {
	w := deliverytest.New(t, deliverytest.Options{})
	e := w.Envelope(t, "alice", "bob", "ALICE", "alice")
	errs := w.Deliver(context.Background(), e, strings.NewReader("x"))
	if len(errs) != 4 || errors.Join(errs...) != nil {
		t.Fatalf("errors: %v", errs)
	}
	alice, bob := w.Open(t, "alice"), w.Open(t, "bob")
	if alice.Len() != 1 || bob.Len() != 1 {
		t.Fatalf("alice has %d messages, bob %d", alice.Len(), bob.Len())
	}
	a, _ := alice.Entry(1)
	b, _ := bob.Entry(1)
	if a.UIDL != b.UIDL {
		t.Errorf("two ids for one message: %s, %s", a.UIDL, b.UIDL)
	}
	if m := w.Messages(t, "alice")[0]; strings.Contains(m, "bob") || strings.Contains(m, "\tfor <") || !strings.HasSuffix(m, "\r\nx\r\n") {
		t.Errorf("alice got %q", m)
	}
}

func TestRefused(t *testing.T) {
	cut := errors.New("connection cut")
	tests := []struct {
		name string
		r    io.Reader
		want error
	}{
		{"bare LF", strings.NewReader("a\nb\r\n"), delivery.ErrBareLineEnd},
		{"bare CR", strings.NewReader("a\rb\r\n"), delivery.ErrBareLineEnd},
		{"CR at the end", strings.NewReader("a\r\nb\r"), delivery.ErrBareLineEnd},
		{"too large", strings.NewReader(strings.Repeat("x", 101)), delivery.ErrTooLarge},
		{"too large and endless", iotest.OneByteReader(endless{}), delivery.ErrTooLarge},
		{"loop", strings.NewReader(strings.Repeat("Received:\r\n", 4)), delivery.ErrLoop},
		{"cut", io.MultiReader(strings.NewReader("a\r\n"), iotest.ErrReader(cut)), cut},
		{"cut at once", iotest.ErrReader(cut), cut},
		{"unexpected EOF", iotest.ErrReader(io.ErrUnexpectedEOF), io.ErrUnexpectedEOF},
	}
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{MaxMessageSize: 100, MaxReceived: 3}})
	for _, test := range tests {
		errs := w.Deliver(context.Background(), w.Envelope(t, "alice", "bob"), test.r)
		if len(errs) != 2 || !errors.Is(errs[0], test.want) || !errors.Is(errs[1], test.want) {
			t.Errorf("%s: %v, want %v", test.name, errs, test.want)
		}
	}
	for _, good := range []string{"", strings.Repeat("x", 100), strings.Repeat("Received:\r\n", 3)} {
		if errs := w.Deliver(context.Background(), w.Envelope(t, "bob"), strings.NewReader(good)); errs[0] != nil {
			t.Errorf("%q: %v", good, errs[0])
		}
	}
	if got := w.Messages(t, "alice"); len(got) > 0 {
		t.Errorf("alice got %q", got)
	}
	if got := w.Messages(t, "bob"); len(got) != 3 {
		t.Errorf("bob got %q", got)
	}
	outcome(t, w, map[string]int{"stored": 3, "refused": 6, "incomplete": 3})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestCheck(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		address    mail.Address
		postmaster mail.Address
		want       string
		err        error
	}{
		{deliverytest.Address("alice"), mail.Address{}, "alice@example.test", nil},
		{deliverytest.Address("ALICE"), mail.Address{}, "ALICE@example.test", nil},
		{deliverytest.Address("nobody"), mail.Address{}, "", account.ErrNoSuchRecipient},
		{mail.Address{Local: "a", Domain: "elsewhere.example"}, mail.Address{}, "", delivery.ErrNotHosted},
		{mail.Address{Local: "a", Domain: "not a domain"}, mail.Address{}, "", delivery.ErrNotHosted},
		{mail.Address{Local: "a", Domain: "[192.0.2.1]"}, mail.Address{}, "", delivery.ErrNotHosted},
		{mail.Address{Local: "alice"}, deliverytest.Address("root"), "", account.ErrNoSuchRecipient},
		{mail.Address{Local: "Postmaster"}, mail.Address{}, "", account.ErrNoSuchRecipient},
		{mail.Address{Local: "Postmaster"}, deliverytest.Address("root"), "root@example.test", nil},
		{deliverytest.Address("postMaster"), deliverytest.Address("root"), "root@example.test", nil},
		{deliverytest.Address("postmaster"), mail.Address{}, "", account.ErrNoSuchRecipient},
		{mail.Address{Local: "postmaster", Domain: "elsewhere.example"}, deliverytest.Address("root"), "", delivery.ErrNotHosted},
		{deliverytest.Address("postmaster"), deliverytest.Address("nobody"), "", account.ErrNoSuchRecipient},
	}
	for _, test := range tests {
		w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Postmaster: test.postmaster}})
		got, err := w.Check(ctx, test.address)
		if !errors.Is(err, test.err) || err == nil && (len(got) != 1 || got[0].Address.String() != test.want) {
			t.Errorf("Check(%v), postmaster %v: %v, %v; want %q, %v", test.address, test.postmaster, got, err, test.want, test.err)
		}
	}
	if _, err := delivery.New(delivery.Config{Postmaster: mail.Address{Local: "x"}}, nil, store.Store{}, nil); err == nil {
		t.Error("a postmaster without domain was taken")
	}
}

// slowStore takes its time to add messages.
type slowStore struct {
	store.Mail
	add func(ctx context.Context)
}

func (s *slowStore) wrap(st store.Store) store.Store {
	s.Mail = st.Mail.Local
	return storetest.WithMail(st, s)
}

func (s *slowStore) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := s.Mail.AddMessages(ctx, entries)
	if s.add != nil {
		s.add(ctx)
	}
	return errs
}

// TestTooOld: rows written too late by the wall clock are removed again. The limit follows a short
// window.
func TestTooOld(t *testing.T) {
	for window, limit := range map[time.Duration]time.Duration{
		0: delivery.MaxIDAge, 15 * time.Minute: delivery.MaxIDAge, 30 * time.Second: 10 * time.Second,
	} {
		clock := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		slow := &slowStore{}
		cfg := delivery.Config{Now: func() time.Time { return clock }, Window: window}
		w := deliverytest.New(t, deliverytest.Options{Delivery: cfg, Wrap: slow.wrap})
		e := w.Envelope(t, "alice", "bob")
		slow.add = func(context.Context) { clock = clock.Add(limit) }
		if errs := w.Deliver(context.Background(), e, strings.NewReader("just in time\r\n")); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
		slow.add = func(context.Context) { clock = clock.Add(limit + time.Millisecond) }
		errs := w.Deliver(context.Background(), e, strings.NewReader("too late\r\n"))
		for _, err := range errs {
			if !errors.Is(err, store.ErrTooOld) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("window %v: got %v", window, err)
			}
		}
		for _, local := range []string{"alice", "bob"} {
			if got := w.Messages(t, local); len(got) != 1 || !strings.HasSuffix(got[0], "just in time\r\n") {
				t.Errorf("window %v: %s has %q", window, local, got)
			}
		}
		outcome(t, w, map[string]int{"stored": 1, "unavailable": 1})
	}
}

// TestSlowSender: the id is young when the rows are written, however slow the sender is.
func TestSlowSender(t *testing.T) {
	clock := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Now: func() time.Time { return clock }}})
	in, err := w.Begin(context.Background(), w.Envelope(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		clock = clock.Add(time.Hour)
		if _, err := in.ReadFrom(strings.NewReader("line\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	res := in.Finish(context.Background())
	if res.Errors[0] != nil || res.Size != 60 || !res.ID.Time().Equal(clock) {
		t.Errorf("%+v, id of %v; want %v", res, res.ID.Time(), clock)
	}
}

// TestStoreTimeout: a hanging store makes the delivery fail in time, by the deadline of its context.
func TestStoreTimeout(t *testing.T) {
	slow := &slowStore{}
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{StoreTimeout: 2 * time.Minute}, Wrap: slow.wrap})
	var deadline time.Time
	slow.add = func(ctx context.Context) { deadline, _ = ctx.Deadline() }
	w.Deliver(context.Background(), w.Envelope(t, "alice"), strings.NewReader("x"))
	if deadline.IsZero() || time.Until(deadline) > 2*time.Minute {
		t.Errorf("the store has the deadline %v", deadline)
	}
}

// TestUseAfterEnd: an Incoming is used once.
func TestUseAfterEnd(t *testing.T) {
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{MaxMessageSize: 10}})
	ctx := context.Background()
	e := w.Envelope(t, "alice")
	in, err := w.Begin(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	in.ReadFrom(strings.NewReader("x"))
	if err := in.Expect(9); err != nil {
		t.Errorf("Expect(9): %v", err)
	}
	if err := in.Expect(10); !errors.Is(err, delivery.ErrTooLarge) {
		t.Errorf("Expect(10): %v", err)
	}
	if _, err := in.ReadFrom(strings.NewReader("y")); !errors.Is(err, delivery.ErrTooLarge) {
		t.Errorf("the error was forgotten: %v", err)
	}
	if res := in.Finish(ctx); !errors.Is(res.Errors[0], delivery.ErrTooLarge) {
		t.Errorf("Finish: %v", res.Errors)
	}
	in, _ = w.Begin(ctx, e)
	in.Discard()
	in.Discard()
	if res := in.Finish(ctx); res.Errors[0] == nil {
		t.Error("a discarded message was stored")
	}
	in, _ = w.Begin(ctx, e)
	in.Finish(ctx)
	in.Discard()
	if res := in.Finish(ctx); res.Errors[0] == nil {
		t.Error("a message was stored twice")
	}
	if _, err := w.Begin(ctx, mail.Envelope{}); err == nil {
		t.Error("a message for nobody was taken")
	}
	if got := w.Messages(t, "alice"); len(got) != 1 {
		t.Errorf("alice has %q", got)
	}
}

// TestMemory: a message of 100 MB needs less than 1 MiB of memory.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB")
	}
	w := deliverytest.New(t, deliverytest.Options{Dir: t.TempDir()})
	ctx := context.Background()
	e := w.Envelope(t, "alice")
	line := bytes.Repeat([]byte("x"), 76)
	line = append(line, "\r\n"...)
	deliver := func(size int) uint64 {
		r := &sampled{block: bytes.Repeat(line, 512), left: size}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if errs := w.Deliver(ctx, e, r); errs[0] != nil {
			t.Fatal(errs[0])
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	deliver(1 << 20) // pools are filled
	if got := deliver(100_000_000); got > 1<<20 {
		t.Errorf("a message of 100 MB made %d octets of garbage and memory, more than 1 MiB", got)
	}
	if drop := w.Open(t, "alice"); drop.Len() != 2 {
		t.Errorf("alice has %d messages", drop.Len())
	}
}

// sampled is a text of left octets, at least.
type sampled struct {
	block []byte
	left  int
}

func (r *sampled) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, r.block)
	n -= n % 78
	r.left -= n
	return n, nil
}
