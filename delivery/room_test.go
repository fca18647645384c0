package delivery_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

const mib = 1 << 20

// upload begins a message from an address and sends part of its text.
func upload(t *testing.T, w *deliverytest.World, from string, singleReply bool, octets int) (*delivery.Incoming, error) {
	t.Helper()
	e := w.Envelope(t, "alice")
	e.Received.Remote, e.SingleReply = netip.Addr{}, singleReply
	if from != "" {
		e.Received.Remote = netip.MustParseAddr(from)
	}
	in, err := w.Begin(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Discard)
	line := strings.Repeat("x", 1022) + "\r\n"
	_, err = in.ReadFrom(io.LimitReader(strings.NewReader(strings.Repeat(line, octets/1024)), int64(octets)))
	return in, err
}

func TestUnfinishedTextsLeaveRoom(t *testing.T) {
	free := int64(40 * mib)
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return free, nil }}})
	// 10 MiB for each network, 20 MiB in all.
	if _, err := upload(t, w, "192.0.2.1", true, 8*mib); err != nil {
		t.Fatal(err)
	}
	free -= 8 * mib
	_, err := upload(t, w, "192.0.2.77", true, 8*mib)
	if !errors.Is(err, delivery.ErrCrowded) || !errors.Is(err, store.ErrFull) {
		t.Errorf("16 MiB from one network: %v", err)
	}
	if _, err := upload(t, w, "198.51.100.1", true, 8*mib); err != nil {
		t.Errorf("another network: %v", err)
	}
	free -= 8 * mib
	for _, from := range []string{"203.0.113.1", "2001:db8::1", "127.0.0.1", ""} {
		if _, err := upload(t, w, from, true, 16*mib); !errors.Is(err, delivery.ErrCrowded) {
			t.Errorf("32 MiB in all, from %q: %v", from, err)
		}
		in, err := upload(t, w, from, true, 200<<10)
		if err != nil {
			t.Errorf("small mail from %q: %v", from, err)
		}
		if res := in.Finish(context.Background()); res.Errors[0] != nil {
			t.Errorf("small mail from %q: %v", from, res.Errors[0])
		}
	}
}

// TestRoomOfNetworks: the share of a network is that of an IPv4 /24 or an IPv6 /48.
func TestRoomOfNetworks(t *testing.T) {
	for _, test := range []struct {
		first, second string
		same          bool
	}{
		{"192.0.2.1", "192.0.2.255", true},
		{"192.0.2.1", "192.0.3.1", false},
		{"::ffff:192.0.2.1", "192.0.2.2", true},
		{"2001:db8:1:1::1", "2001:db8:1:ffff::1", true},
		{"2001:db8:1::1", "2001:db8:2::1", false},
	} {
		w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return 40 * mib, nil }}})
		if _, err := upload(t, w, test.first, true, 8*mib); err != nil {
			t.Fatal(err)
		}
		if _, err := upload(t, w, test.second, true, 8*mib); errors.Is(err, delivery.ErrCrowded) != test.same {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// An IPv6 /32 of a provider has 65,536 networks: its networks leave room for other clients.
func TestRoomBesideARegion(t *testing.T) {
	free := int64(40 * mib)
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return free, nil }}})
	// 10 MiB for each network, 20 MiB in all.
	for i, from := range []string{"2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1", "2001:db8:4::1", "2001:db8:5::1"} {
		_, err := upload(t, w, from, true, 5*mib)
		if crowded := errors.Is(err, delivery.ErrCrowded); crowded != (i > 2) || err != nil && !crowded {
			t.Errorf("%s: %v", from, err)
		}
		if err == nil {
			free -= 5 * mib
		}
	}
	for _, from := range []string{"2001:db9::1", "192.0.2.1"} {
		if _, err := upload(t, w, from, true, 2*mib); err != nil {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// TestRoomIsGivenBack: a stored, refused or discarded message returns its room.
func TestRoomIsGivenBack(t *testing.T) {
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{MaxMessageSize: 9 * mib, Free: func() (int64, error) { return 40 * mib, nil }}})
	for range 4 {
		in, err := upload(t, w, "192.0.2.1", true, 8*mib)
		if err != nil {
			t.Fatal(err)
		}
		if res := in.Finish(context.Background()); res.Errors[0] != nil {
			t.Fatal(res.Errors[0])
		}
		if in, err = upload(t, w, "192.0.2.1", true, 8*mib); err != nil {
			t.Fatal(err)
		}
		in.Discard()
		// Refused, but its sender goes on sending.
		if _, err = upload(t, w, "192.0.2.1", true, 10*mib); !errors.Is(err, delivery.ErrTooLarge) {
			t.Fatal(err)
		}
	}
}

// TestFrontServersAreNotOneNetwork: LMTP clients and clients on this machine bring the mail of many
// senders.
func TestFrontServersAreNotOneNetwork(t *testing.T) {
	for _, front := range []struct {
		from        string
		singleReply bool
	}{{"192.0.2.1", false}, {"127.0.0.1", true}, {"", true}} {
		w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return 40 * mib, nil }}})
		for range 2 {
			if _, err := upload(t, w, front.from, front.singleReply, 9*mib); err != nil {
				t.Errorf("%+v: %v", front, err)
			}
		}
	}
}

// TestNoRoomIsNoLoss: a message refused for lack of space stays with its sender.
func TestNoRoomIsNoLoss(t *testing.T) {
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return 0, nil }}})
	in, err := upload(t, w, "192.0.2.1", true, mib)
	if !errors.Is(err, delivery.ErrCrowded) {
		t.Fatal(err)
	}
	if res := in.Finish(context.Background()); !errors.Is(res.Errors[0], delivery.ErrCrowded) {
		t.Errorf("%v", res.Errors[0])
	}
	if got := w.Messages(t, "alice"); len(got) != 0 {
		t.Errorf("alice has %d messages", len(got))
	}
	unknown := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{Free: func() (int64, error) { return 0, errors.New("no such disk") }}})
	if in, err = upload(t, unknown, "192.0.2.1", true, mib); err != nil {
		t.Fatal(err)
	}
	if res := in.Finish(context.Background()); res.Errors[0] != nil || len(unknown.Messages(t, "alice")) != 1 {
		t.Error(res.Errors[0])
	}
}

// panicking is a store whose contents cannot be named without a panic. It counts the contents that were not given back.
type panicking struct {
	store.Mail
	open int
}

func (p *panicking) NewContent(ctx context.Context) (store.Content, error) {
	c, err := p.Mail.NewContent(ctx)
	if err == nil {
		p.open++
	}
	return &counted{Content: c, p: p}, err
}

func (p *panicking) PutContent(context.Context, mail.MessageID, store.Content, store.ContentInfo) error {
	panic("a defect")
}

type counted struct {
	store.Content
	p *panicking
}

func (c *counted) Discard() {
	if c.p != nil {
		c.p.open--
		c.p = nil
	}
	c.Content.Discard()
}

// A message whose storing panics gives its content and its room back: its sender may repeat the message for days.
func TestPanicLeavesRoom(t *testing.T) {
	p := &panicking{}
	w := deliverytest.New(t, deliverytest.Options{
		Delivery: delivery.Config{Free: func() (int64, error) { return 40 * mib, nil }},
		Wrap: func(st store.Store) store.Store {
			p.Mail = st.Mail.Local
			return storetest.WithMail(st, p)
		},
	})
	for range 5 {
		in, err := upload(t, w, "192.0.2.1", true, 8*mib)
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			in.Finish(t.Context())
		}()
		in.Discard()
	}
	if p.open != 0 {
		t.Errorf("%d contents were not given back", p.open)
	}
}
