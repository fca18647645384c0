package event_test

import (
	"testing"
	"unsafe"

	"popelago/event"
	"popelago/mail"
)

// An event with a message shares no memory with the row.
func TestOf(t *testing.T) {
	row := mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 7, UIDL: "own-id"}
	e := event.Event{Kind: event.Removed}.Of(row)
	if e.Kind != event.Removed || e.Message != row.ID || e.Size != 7 || e.UIDL != row.UIDL {
		t.Errorf("%+v", e)
	}
	if unsafe.StringData(string(e.UIDL)) == unsafe.StringData(string(row.UIDL)) {
		t.Error("the unique-id of the event keeps the memory of the list")
	}
}
