package trace

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// full returns an event with every field set.
func full() event.Event {
	return event.Event{
		Kind: event.Accepted, Time: time.UnixMicro(1_790_000_000_123_456), Server: "mx1:/data", Datacenter: "dc1",
		Mailbox: mail.MailboxID{1, 2}, Address: "jürgen@example.test", Recipient: "sales@example.test", Sender: "a@example.org",
		Message: mail.MessageID{3}, HeaderID: "1@example.org", UIDL: "own", Size: 1 << 40, Messages: 7,
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
	got, err := decode(store.Record{At: e.Time, Data: encode(e)})
	if err != nil || got != e {
		t.Errorf("decoded %+v, %v, want %+v", got, err, e)
	}
	e.Remote = netip.MustParseAddr("192.0.2.1")
	if got, err := decode(store.Record{At: e.Time, Data: encode(e)}); err != nil || got != e {
		t.Errorf("decoded %+v, %v, want %+v", got, err, e)
	}
	if data := encode(event.Event{}); len(data) > 0 {
		t.Errorf("an empty event has %d octets", len(data))
	}
}

// The longest event is not longer than a row may be, and its keys are not longer than a key may be.
func TestEncodeBounds(t *testing.T) {
	e := full()
	long := strings.Repeat("x", 10_000)
	for _, p := range texts(&e) {
		*p = long
	}
	e.Address = long + "@" + long
	if n := len(encode(e)); n > store.MaxRecordData {
		t.Errorf("the record has %d octets", n)
	}
	for _, key := range append(traceKeys(e), auditKeys(e)...) {
		if len(key) > store.MaxRecordKey {
			t.Errorf("a key has %d octets", len(key))
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(full()))
	f.Add([]byte{99, 1, 'x'}) // an unknown tag
	f.Add([]byte{tagSize, 1, 0xFF})
	f.Add([]byte{tagKind, 200})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decode(store.Record{Data: data})
		if err != nil {
			return
		}
		again, err := decode(store.Record{Data: encode(e)})
		if err != nil || again.Kind != event.Kind(bounded(string(e.Kind), maxText)) {
			t.Errorf("%+v became %+v, %v", e, again, err)
		}
	})
}
