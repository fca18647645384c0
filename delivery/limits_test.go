package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
	"popelago/store/storetest"
)

// calls counts the calls of a delivery.
type calls struct {
	store.Mail
	n atomic.Int64
}

func (c *calls) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	c.n.Add(1)
	return c.Mail.ListMessages(ctx, mailbox, after, limit)
}

// limited is a world with settings of alice.
func limited(t *testing.T, c *calls, settings map[string]string) *deliverytest.World {
	t.Helper()
	now := time.Now() // nobody forgets a usage
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Now: func() time.Time { return now }}, Wrap: func(st store.Store) store.Store {
		c.Mail = st.Mail.Local
		return storetest.WithMail(st, c)
	}})
	if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address("alice"), settings); err != nil {
		t.Fatal(err)
	}
	return w
}

// classes names the errors of a result.
func classes(res delivery.Result) string {
	var names []string
	for _, err := range res.Errors {
		switch {
		case err == nil:
			names = append(names, "ok")
		case errors.Is(err, quota.ErrRefused):
			names = append(names, "refused")
		case errors.Is(err, quota.ErrOver):
			names = append(names, "over")
		case errors.Is(err, delivery.ErrTooLarge):
			names = append(names, "large")
		default:
			names = append(names, err.Error())
		}
	}
	return strings.Join(names, " ")
}

func TestQuotaAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		single   bool
		to       []string
		want     string
	}{
		{"each recipient has a reply", map[string]string{"quota": "1KiB"}, false, []string{"alice", "bob"}, "over ok"},
		{"for good", map[string]string{"quota": "1KiB", "over_quota": "refuse"}, false, []string{"bob", "alice"}, "ok refused"},
		{"one reply for one", map[string]string{"quota": "1KiB"}, true, []string{"alice"}, "over"},
		{"one reply for two", map[string]string{"quota": "1KiB"}, true, []string{"alice", "bob"}, "ok ok"},
		{"twice the same", map[string]string{"quota": "1KiB"}, true, []string{"alice", "alice"}, "over over"},
		{"size", map[string]string{"message_size": "1KiB"}, false, []string{"alice", "bob"}, "large ok"},
		{"room", map[string]string{"quota": "10KiB", "message_size": "10KiB"}, false, []string{"alice", "bob"}, "ok ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := limited(t, &calls{}, c.settings)
			e := w.Envelope(t, c.to...)
			e.SingleReply = c.single
			res := deliverytest.Finish(t, w.Deliverer, e, "Subject: x\r\n\r\n"+strings.Repeat("0123456789\r\n", 200))
			if got := classes(res); got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			for i, local := range c.to {
				if stored := w.Open(t, local).Len() > 0; stored != (res.Errors[i] == nil) {
					t.Errorf("%s has the message: %v", local, stored)
				}
			}
		})
	}
}

// A text that is too large for every recipient is refused before it has arrived whole.
func TestTooLargeForAll(t *testing.T) {
	w := limited(t, &calls{}, map[string]string{"message_size": "1KiB"})
	in, err := w.Begin(t.Context(), w.Envelope(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Discard()
	if err := in.Expect(1025); !errors.Is(err, delivery.ErrTooLarge) {
		t.Error(err)
	}
	if err := w.Admit(t.Context(), w.Envelope(t, "alice").Recipients, 1025); !errors.Is(err, delivery.ErrTooLarge) {
		t.Error(err)
	}
}

// A repeated delivery of a stored message is a success, also over quota.
func TestQuotaOfRepeatedDelivery(t *testing.T) {
	w := limited(t, &calls{}, map[string]string{"quota": "2KiB"})
	text := "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 100)
	first := deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "alice"), text)
	deliverytest.Want(t, first, "ok")
	w.ReplyLost(t.Context(), first)
	again := deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "alice"), text)
	deliverytest.Want(t, again, "ok")
	deliverytest.WantRepeated(t, again, true)
	if n := w.Open(t, "alice").Len(); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// Deliveries read a list only for recipients with a quota, and once for many.
func TestReadsOfQuota(t *testing.T) {
	c := &calls{}
	w := limited(t, c, map[string]string{"quota": "1MiB"})
	for range 5 {
		deliverytest.Want(t, deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "bob", "root"), deliverytest.Sample), "ok", "ok")
	}
	if n := c.n.Load(); n != 0 {
		t.Errorf("%d reads without a quota", n)
	}
	for range 5 {
		e := w.Envelope(t, "alice")
		if err := w.Admit(t.Context(), e.Recipients[:1], 100); err != nil {
			t.Fatal(err)
		}
		deliverytest.Want(t, deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample), "ok")
	}
	if n := c.n.Load(); n != 1 {
		t.Errorf("%d reads with a quota", n)
	}
}

// A limit of a member yields beside members that take the message, also where each RCPT command has a reply of its
// own. A limit of all members refuses the message, temporarily as long as a repetition may reach a member.
func TestQuotaOfGroup(t *testing.T) {
	full, refusing, small := map[string]string{"quota": "1KiB"}, map[string]string{"quota": "1KiB", "over_quota": "refuse"}, map[string]string{"message_size": "1KiB"}
	for _, c := range []struct {
		name       string
		alice, bob map[string]string
		to         []string
		want       string
	}{
		{"room for one", full, nil, []string{"team"}, "ok"},
		{"refused by one", refusing, nil, []string{"team"}, "ok"},
		{"too large for one", small, nil, []string{"team"}, "ok"},
		{"no room", full, full, []string{"team", "root"}, "over ok"},
		{"refused by all", refusing, refusing, []string{"team"}, "refused"},
		{"refused by one, full the other", refusing, full, []string{"team"}, "over"},
		{"too large for one, full the other", small, full, []string{"team"}, "over"},
		{"the member by itself gets no copy of its own", full, nil, []string{"alice", "team"}, "over ok"},
		{"another command gives no room", full, nil, []string{"alice", "root"}, "over ok"},
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, size known %v", c.name, known), func(t *testing.T) {
				w := withGroup(t, deliverytest.Options{})
				for local, settings := range map[string]map[string]string{"alice": c.alice, "bob": c.bob} {
					if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address(local), settings); err != nil {
						t.Fatal(err)
					}
				}
				text := "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 200)
				e := w.Envelope(t, c.to...)
				if known {
					err := w.Admit(t.Context(), w.Envelope(t, "team").Recipients, int64(len(text)))
					res := deliverytest.Finish(t, w.Deliverer, w.Envelope(t, "team"), text)
					if got := classes(delivery.Result{Errors: []error{err}}); got != classes(res) {
						t.Errorf("admitted: %s; delivered: %s", got, classes(res))
					}
					return
				}
				res := deliverytest.Finish(t, w.Deliverer, e, text)
				if got := classes(res); got != c.want {
					t.Fatalf("%s, want %s", got, c.want)
				}
				if res.Errors[len(c.to)-1] == nil && c.to[len(c.to)-1] == "team" {
					if got := counts(t, w, "alice", "bob"); !slices.Equal(got, []int{1, 1}) {
						t.Errorf("messages: %v", got)
					}
				}
			})
		}
	}
}

// A fault of one member makes the whole reply temporary, also where a limit refuses the other member for good.
func TestFaultBesideLimit(t *testing.T) {
	broken := &brokenFor{}
	w := withGroup(t, deliverytest.Options{Wrap: func(st store.Store) store.Store {
		broken.Mail = st.Mail.Local
		st.Mail = store.OneLevel[store.Mail](broken)
		return st
	}})
	settings := map[string]string{"quota": "1KiB", "over_quota": "refuse"}
	if err := w.Directory.SetAccountSettings(t.Context(), deliverytest.Address("alice"), settings); err != nil {
		t.Fatal(err)
	}
	e := w.Envelope(t, "team")
	text := "Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 200)
	broken.mailbox = deliverytest.Mailbox("bob")
	if err := w.Deliver(t.Context(), e, strings.NewReader(text))[0]; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("with a fault: %v", err)
	}
	broken.mailbox = mail.MailboxID{}
	if err := w.Deliver(t.Context(), e, strings.NewReader(text))[0]; err != nil {
		t.Errorf("the repetition: %v", err)
	}
	if got := counts(t, w, "alice", "bob"); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("messages: %v", got)
	}
}
