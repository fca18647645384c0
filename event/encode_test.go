package event

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"popelago/mail"
)

// full returns an event with every field set.
func full() Event {
	return Event{
		Kind: Accepted, Time: time.UnixMicro(1_790_000_000_123_456), Server: "mx1:/data", Datacenter: "dc1",
		Mailbox: mail.MailboxID{1, 2}, Address: "jürgen@example.test", Recipient: "sales@example.test", Sender: "a@example.org",
		Message: mail.MessageID{3}, HeaderID: "1@example.org", UIDL: "own", Size: 1 << 40, Messages: 7, Attempts: 8,
		Remote: netip.MustParseAddr("2001:db8::1"), Protocol: "ESMTPS", Session: "s.1", Reached: mail.ReachedFallback, Cause: "why",
		Actor: "socket", Operation: "set-state", Before: `{"a":1}`, After: `{"a":2}`,
	}
}

// Every field of an event survives, but for Recorded, which no record has.
func TestEncode(t *testing.T) {
	e := full()
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Recorded" {
			t.Errorf("the test sets no %s", name)
		}
	}
	got, err := Decode(e.Time, Encode(e))
	if err != nil || got != e {
		t.Errorf("decoded %+v, %v, want %+v", got, err, e)
	}
	e.Remote = netip.MustParseAddr("192.0.2.1")
	if got, err := Decode(e.Time, Encode(e)); err != nil || got != e {
		t.Errorf("decoded %+v, %v, want %+v", got, err, e)
	}
	if data := Encode(Event{}); len(data) > 0 {
		t.Errorf("an empty event has %d octets", len(data))
	}
}

// The longest event is not longer than MaxEncoded.
func TestEncodeBounds(t *testing.T) {
	e := full()
	long := strings.Repeat("x", 10_000)
	for _, p := range texts(&e) {
		*p = long
	}
	if n := len(Encode(e)); n > MaxEncoded {
		t.Errorf("the record has %d octets", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(full()))
	f.Add([]byte{99, 1, 'x'}) // an unknown tag
	f.Add([]byte{tagSize, 1, 0xFF})
	f.Add([]byte{tagKind, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(time.Time{}, data)
		if err != nil {
			return
		}
		again, err := Decode(time.Time{}, Encode(e))
		if err != nil || again.Kind != Kind(bounded(string(e.Kind), maxText)) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}
