package maildrop

import (
	"testing"

	"popelago/mail"
)

// A block gives back the addresses of its rows.
func TestBlockKeepsAddresses(t *testing.T) {
	ids := mail.NewIDSource(nil)
	want := []mail.Message{
		{ID: ids.Next(), Size: 1, Recipient: "a@example.test"},
		{ID: ids.Next(), Size: 2, Recipient: "a@example.test", Original: "b@example.test", UIDL: "u", Origin: "dc1"},
		{ID: ids.Next(), Size: 3, Original: "b@example.test"},
		{ID: ids.Next(), Size: 4},
	}
	var p packer
	for _, m := range want {
		p.add(m)
	}
	b := newBlock(string(p.pack()))
	for i, m := range want {
		if got := b.row(i); got != m {
			t.Errorf("row %d: %+v, want %+v", i, got, m)
		}
	}
}
