package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// failing is a store whose writes have a fate each. It notes the contents that are dropped.
type failing struct {
	store.Mail
	add  map[string]string // see deliverytest.AddAs
	put  error
	drop error

	asked   []mail.MessageID // contents put
	sizes   []int64
	dropped []mail.MessageID
}

func (f *failing) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	f.asked, f.sizes = append(f.asked, id), append(f.sizes, c.Size())
	if f.put != nil {
		c.Discard()
		return f.put
	}
	return f.Mail.PutContent(ctx, id, c, info)
}

func (f *failing) AddMessages(ctx context.Context, entries []store.Entry) []error {
	return deliverytest.AddAs(ctx, f.Mail, f.add, entries)
}

func (f *failing) DropContent(_ context.Context, id mail.MessageID, size int64) error {
	if size != f.sizes[len(f.sizes)-1] {
		return fmt.Errorf("dropped with %d octets, put with %d", size, f.sizes)
	}
	f.dropped = append(f.dropped, id)
	return f.drop
}

// TestDropUnneeded: a content is dropped if surely no row names it. A row of unknown outcome keeps its content, which the
// repetition uses.
func TestDropUnneeded(t *testing.T) {
	for name, c := range map[string]struct {
		alice, bob string // fates of their rows
		put, drop  error
		dropped    bool
		want       []string
	}{
		"stored":                   {want: []string{"ok", "ok"}},
		"no row":                   {alice: "unavailable", bob: "unavailable", dropped: true, want: []string{"unavailable", "unavailable"}},
		"no row, no drop":          {alice: "unavailable", bob: "unavailable", drop: store.ErrUnavailable, dropped: true, want: []string{"unavailable", "unavailable"}},
		"one row":                  {alice: "unavailable", want: []string{"unavailable", "ok"}},
		"one row perhaps":          {alice: "unavailable", bob: "lost", want: []string{"unavailable", "unknown"}},
		"both rows perhaps":        {alice: "unknown", bob: "lost", want: []string{"unknown", "unknown"}},
		"content perhaps":          {put: store.ErrOutcomeUnknown, dropped: true, want: []string{"unknown", "unknown"}},
		"no content":               {put: store.ErrUnavailable, want: []string{"unavailable", "unavailable"}},
		"no content: disk is full": {put: store.ErrFull, want: []string{"full", "full"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{add: map[string]string{"alice": c.alice, "bob": c.bob}, put: c.put, drop: c.drop}
			w := deliverytest.New(t, deliverytest.Options{Wrap: func(st store.Store) store.Store {
				f.Mail = st.Mail.Local
				st.Mail.Local, st.Mail.Each, st.Mail.All = f, f, f
				return st
			}})
			res := deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "alice", "bob"), deliverytest.Sample)
			for i, err := range res.Errors {
				if got := classOf(err); got != c.want[i] {
					t.Errorf("recipient %d: %v, want %s", i, err, c.want[i])
				}
			}
			if want := f.asked[:map[bool]int{true: 1}[c.dropped]]; !slices.Equal(f.dropped, want) {
				t.Errorf("dropped %v, want %v", f.dropped, want)
			}
			// When the fault is over the sender repeats the message to those that failed, and each recipient has it once.
			f.add, f.put = nil, nil
			var failed []string
			for i, local := range []string{"alice", "bob"} {
				if res.Errors[i] != nil {
					failed = append(failed, local)
				}
			}
			if len(failed) > 0 {
				res = deliverytest.Finish(t, w.Deliverer, w.Envelope(t, failed...), deliverytest.Sample)
				if err := errors.Join(res.Errors...); err != nil {
					t.Fatalf("the repetition: %v", err)
				}
			}
			for _, local := range []string{"alice", "bob"} {
				if all := w.Messages(t, local); len(all) != 1 {
					t.Errorf("%s has %d copies", local, len(all))
				}
			}
		})
	}
}

// classOf names the class of an error of the store.
func classOf(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, store.ErrOutcomeUnknown):
		return "unknown"
	case errors.Is(err, store.ErrFull):
		return "full"
	case errors.Is(err, store.ErrUnavailable):
		return "unavailable"
	}
	return err.Error()
}
