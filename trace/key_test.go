package trace

import (
	"strings"
	"testing"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// A record is not longer than a row may be, and its keys are not longer than a key may be.
func TestBounds(t *testing.T) {
	if event.MaxEncoded > store.MaxRecordData {
		t.Errorf("a record may have %d octets, a row %d", event.MaxEncoded, store.MaxRecordData)
	}
	long := strings.Repeat("x", 10_000)
	for _, kind := range []event.Kind{event.Accepted, event.LoggedIn, event.Removed, event.Changed} {
		e := event.Event{Kind: kind, Address: long + "@" + long, HeaderID: long, UIDL: mail.UIDL(long), Message: mail.MessageID{1}}
		for _, key := range append(traceKeys(e), auditKeys(e)...) {
			if len(key) > store.MaxRecordKey {
				t.Errorf("%s: a key has %d octets", kind, len(key))
			}
		}
	}
}
