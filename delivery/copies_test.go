package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"popelago/account"
	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/quota"
	"popelago/store"
)

// brokenCopy fails to add the copies for one address that RCPT named. lost: the copy is stored, and its outcome
// is unknown.
type brokenCopy struct {
	store.Mail
	named string
	lost  bool
}

func (b *brokenCopy) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	for i := range entries {
		hit := b.named != "" && strings.HasPrefix(entries[i].Message.Original, b.named)
		if hit && !b.lost {
			errs[i] = store.ErrUnavailable
			continue
		}
		if errs[i] = b.Mail.AddMessages(ctx, entries[i:i+1])[0]; hit {
			errs[i] = store.ErrOutcomeUnknown
		}
	}
	return errs
}

// oneMaildrop is a world in which alice gets the mail for all unknown addresses.
func oneMaildrop(t *testing.T) (*deliverytest.World, *brokenCopy) {
	t.Helper()
	broken := &brokenCopy{}
	w := deliverytest.New(t, deliverytest.Options{Wrap: func(st store.Store) store.Store {
		broken.Mail = st.Mail.Local
		st.Mail = store.OneLevel[store.Mail](broken)
		return st
	}})
	change := store.DomainChange{Settings: map[string]string{account.SettingCatchAll: "alice@example.test", account.SettingDelimiter: "+"}}
	if _, err := w.Directory.ChangeDomain(t.Context(), "example.test", change); err != nil {
		t.Fatal(err)
	}
	return w, broken
}

// fetched returns the headers of delivery of all messages of alice, sorted: Delivered-To and X-Original-To
// without the domain. Each message has the octets that LIST announces.
func fetched(t *testing.T, w *deliverytest.World, text string) (headers []string) {
	t.Helper()
	m, err := maildrop.Open(t.Context(), store.Single(w.Embedded).Mail, deliverytest.Mailbox("alice"), maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= m.Len(); n++ {
		r, err := m.Read(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		octets, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || int64(len(octets)) != r.Size || !strings.HasSuffix(string(octets), text) {
			t.Errorf("message %d: %v, %d octets of %d: %q", n, err, len(octets), r.Size, octets)
		}
		var names []string
		for line := range strings.SplitSeq(string(octets), "\r\n") {
			name, value, _ := strings.Cut(line, ": ")
			if name == "Delivered-To" || name == "X-Original-To" {
				names = append(names, strings.TrimSuffix(value, "@example.test"))
			}
		}
		headers = append(headers, strings.Join(names, "<"))
	}
	slices.Sort(headers)
	return headers
}

// One maildrop for a whole domain gets a copy for each address that RCPT named, whatever the header of the
// message says, and programs that split the mail by recipient find the address. The same address twice is one copy.
func TestCopyForEachAddress(t *testing.T) {
	for name, text := range map[string]string{"small": "S: x\r\n\r\nx\r\n", "large": "S: x\r\n\r\n" + strings.Repeat("0123456789abcd\r\n", 20_000)} {
		t.Run(name, func(t *testing.T) {
			w, _ := oneMaildrop(t)
			e := w.Envelope(t, "sales", "Info", "alice", "alice+tag", "bob", "info", "sales")
			for i, err := range w.Deliver(t.Context(), e, strings.NewReader(text)) {
				if err != nil {
					t.Errorf("recipient %d: %v", i, err)
				}
			}
			want := []string{"alice+tag<alice+tag", "alice<Info", "alice<alice", "alice<sales"}
			if got := fetched(t, w, text); !slices.Equal(got, want) {
				t.Errorf("messages: %q, want %q", got, want)
			}
			if got := counts(t, w, "bob"); !slices.Equal(got, []int{1}) {
				t.Errorf("messages of bob: %v", got)
			}
		})
	}
}

// held counts the contents that are neither stored nor discarded.
type held struct {
	store.Mail
	contents map[store.Content]bool
	asked    int // comparisons of the clock, from which doubted counts
	doubted  int // the comparison that fails; zero: none
}

type heldContent struct {
	store.Content
	held *held
}

func (h *held) NewContent(ctx context.Context) (store.Content, error) {
	inner, err := h.Mail.NewContent(ctx)
	if err != nil {
		return nil, err
	}
	c := &heldContent{inner, h}
	h.contents[c] = true
	return c, nil
}

func (h *held) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	err := h.Mail.PutContent(ctx, id, c.(*heldContent).Content, info)
	if err == nil {
		delete(h.contents, c)
	}
	return err
}

func (c *heldContent) Discard() {
	delete(c.held.contents, c)
	c.Content.Discard()
}

func (h *held) CompareClock(ctx context.Context) error {
	if h.asked++; h.asked == h.doubted {
		return store.ErrClock
	}
	return h.Mail.CompareClock(ctx)
}

// A copy whose id cannot be made, because the clock is doubted at that moment, leaves no content behind.
func TestNoContentStaysBehindCopies(t *testing.T) {
	for doubted := 1; ; doubted++ {
		h := &held{contents: map[store.Content]bool{}, doubted: doubted}
		w := deliverytest.New(t, deliverytest.Options{Wrap: func(st store.Store) store.Store {
			h.Mail = st.Mail.Local
			st.Mail = store.OneLevel[store.Mail](h)
			return st
		}})
		change := store.DomainChange{Settings: map[string]string{account.SettingDelimiter: "+"}}
		if _, err := w.Directory.ChangeDomain(t.Context(), "example.test", change); err != nil {
			t.Fatal(err)
		}
		e := w.Envelope(t, "alice+1", "alice+2", "alice+3", "alice+4")
		failed := 0
		for _, err := range w.Deliver(t.Context(), e, strings.NewReader("S: x\r\n\r\nx\r\n")) {
			if err != nil {
				failed++
			}
		}
		if len(h.contents) > 0 {
			t.Errorf("with comparison %d of the clock failing: %d contents stay, %d recipients failed", doubted, len(h.contents), failed)
		}
		if h.asked < doubted {
			return
		}
	}
}

// A repetition adds the missing copies and no other, whichever copy failed, by LMTP and by SMTP, whether the copy
// was written or not.
func TestCopiesAreRepeated(t *testing.T) {
	const text = "S: x\r\n\r\nx\r\n"
	locals := []string{"one", "two", "three"}
	for _, failing := range locals {
		for _, single := range []bool{false, true} {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s fails, single reply %v, lost %v", failing, single, lost), func(t *testing.T) {
					w, broken := oneMaildrop(t)
					e := w.Envelope(t, locals...)
					e.SingleReply = single
					send := func(e mail.Envelope) []error { return w.Deliver(t.Context(), e, strings.NewReader(text)) }
					broken.named, broken.lost = failing, lost
					failed := []string(nil)
					for i, err := range send(e) {
						if err != nil {
							failed = append(failed, locals[i])
						}
					}
					if len(failed) == 0 {
						t.Fatal("nothing failed")
					}
					broken.named = ""
					again := w.Envelope(t, failed...)
					if single {
						again = w.Envelope(t, locals...)
					}
					again.SingleReply = single
					for _, err := range send(again) {
						if err != nil {
							t.Errorf("the repetition: %v", err)
						}
					}
					want := []string{"alice<one", "alice<three", "alice<two"}
					if got := fetched(t, w, text); !slices.Equal(got, want) {
						t.Errorf("messages: %q, want %q", got, want)
					}
				})
			}
		}
	}
}

// A quota yields to one copy: naming many addresses that lead to a maildrop does not fill it. RCPT counts the copies
// of a declared size, and the end of the text refuses copies that exceed the quota until there is room.
func TestQuotaOfCopies(t *testing.T) {
	text := "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 200)
	for _, c := range []struct {
		name     string
		settings map[string]string
		single   bool
		want     string
		messages int
	}{
		{"octets", map[string]string{"quota": "4KiB"}, true, "ok over over ok", 1},
		{"messages", map[string]string{"quota_messages": "2"}, true, "ok ok over ok", 2},
		{"permanent refusal", map[string]string{"quota": "4KiB", "over_quota": "refuse"}, true, "ok over over ok", 1},
		{"full", map[string]string{"quota": "1KiB"}, true, "ok over over ok", 1},
		{"a reply for each", map[string]string{"quota": "4KiB", "over_quota": "refuse"}, false, "ok over over ok", 1},
		{"room", map[string]string{"quota": "40KiB"}, true, "ok ok ok ok", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _ := oneMaildrop(t)
			if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address("alice"), c.settings); err != nil {
				t.Fatal(err)
			}
			e := w.Envelope(t, "alice+1", "alice+2", "alice+3", "bob")
			e.SingleReply = c.single
			res := deliverytest.Finish(t, w.Deliverer, e, text)
			if got := classes(res); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if got := counts(t, w, "alice", "bob"); !slices.Equal(got, []int{c.messages, 1}) {
				t.Errorf("messages: %v", got)
			}
		})
	}
	w, _ := oneMaildrop(t)
	if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address("alice"), map[string]string{"quota": "4KiB", "over_quota": "refuse"}); err != nil {
		t.Fatal(err)
	}
	e := w.Envelope(t, "alice", "alice+1")
	admit := func(before []mail.Recipient, size int64) error {
		var accepted delivery.Accepted
		accepted.Add(before)
		return w.AdmitBeside(t.Context(), e, &accepted, e.Recipients[1:], size)
	}
	for i, err := range []error{admit(nil, 3000), admit(e.Recipients[1:], 3000), admit(e.Recipients[:1], 1000), admit(e.Recipients[:1], 0)} {
		if err != nil {
			t.Errorf("admission %d: %v", i, err)
		}
	}
	if err := admit(e.Recipients[:1], 3000); !errors.Is(err, quota.ErrOver) || errors.Is(err, quota.ErrRefused) {
		t.Errorf("a copy beside another: %v", err)
	}
	if err := admit(nil, 5000); !errors.Is(err, quota.ErrRefused) {
		t.Errorf("too large by itself: %v", err)
	}
}

// A maildrop gets so many copies of a message, whatever its quota. A further address is refused until the next message, and an
// address that is named again, or that leads to another maildrop, is not. A member of a group counts, too.
func TestCopiesAreLimited(t *testing.T) {
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{MaxCopies: 3}})
	change := store.DomainChange{Settings: map[string]string{account.SettingDelimiter: "+"}}
	if _, err := w.Directory.ChangeDomain(t.Context(), "example.test", change); err != nil {
		t.Fatal(err)
	}
	members := []mail.Address{deliverytest.Address("alice"), deliverytest.Address("bob")}
	if _, err := w.Directory.AddAlias(t.Context(), deliverytest.Address("team"), store.KindGroup, members); err != nil {
		t.Fatal(err)
	}
	var accepted delivery.Accepted
	for _, c := range []struct {
		local string
		want  error
	}{
		{"alice+1", nil}, {"team", nil}, {"alice+2", nil}, {"alice+3", delivery.ErrTooManyCopies}, {"alice+1", nil}, {"ALICE+2", nil}, {"team", nil},
		{"team+tag", delivery.ErrTooManyCopies}, {"bob", nil}, {"bob+1", nil}, {"bob+2", delivery.ErrTooManyCopies}, {"root", nil},
	} {
		found := w.Envelope(t, c.local).Recipients
		err := w.AdmitBeside(t.Context(), w.Envelope(t, c.local), &accepted, found, 0)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", c.local, err, c.want)
		}
		if err == nil {
			accepted.Add(found)
		}
	}
}
