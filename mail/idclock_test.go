package mail_test

import (
	"bytes"
	"testing"
	"time"

	"popelago/mail"
)

// After a wrong clock is set right, new ids have the right time again, and no id is made twice even if
// the same time comes twice.
func TestIDSourceRecovers(t *testing.T) {
	right := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	now := right
	src := mail.NewIDSource(func() time.Time { return now })
	seen := map[mail.MessageID]bool{}
	next := func() mail.MessageID {
		t.Helper()
		id := src.Next()
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		if ahead := id.Time().Sub(now); ahead < 0 || ahead > mail.MaxIDAhead {
			t.Fatalf("an id is %v ahead of the clock", ahead)
		}
		seen[id] = true
		return id
	}
	first := next()
	for range 3 {
		now = right.Add(100 * 24 * time.Hour)
		next()
		now = right
		for range 100 {
			if id := next(); bytes.Equal(id[10:], first[10:]) {
				t.Fatal("the same node id after the clock was set back")
			}
		}
	}
	now = right.Add(-mail.MaxIDAhead / 2) // a little: the ids go on
	if id := next(); id.Time().Before(right) {
		t.Errorf("an id of %v, the last one was of %v", id.Time(), right)
	}
}
