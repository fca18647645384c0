package maildrop_test

import (
	"strings"
	"testing"

	"popelago/mail"
)

// An imported unique-id of up to 255 octets is listed unchanged, since clients know the unique-id.
func TestLongUniqueIDs(t *testing.T) {
	st, ids := openStore(t), mail.NewIDSource(nil)
	long := mail.UIDL(strings.Repeat("u", 255))
	add(t, st, ids, nil, carry(long))
	over := add(t, st, ids, nil, carry(long+"x"))
	d := open(t, st)
	for n, want := range map[int]mail.UIDL{1: long, 2: over.ID.UIDL()} {
		if e, err := d.Entry(n); err != nil || e.UIDL != want {
			t.Errorf("message %d: unique-id %q, %v, want %q", n, e.UIDL, err, want)
		}
	}
}
