package cassandra

import (
	"math"
	"testing"
	"time"

	"popelago/store"
)

// No row expires later than nodes accept, also if the clock of a node is an hour ahead.
func TestTTLBeforeLastExpiry(t *testing.T) {
	const nodeAhead = time.Hour
	for year := 2026; year < 2045; year++ {
		now := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		for _, keep := range []time.Duration{time.Minute, store.MaxNoteAge} {
			ttl := ttlSeconds(now, keep)
			if ttl != 0 && now.Add(nodeAhead).Unix()+int64(ttl) >= math.MaxInt32 || ttl < 0 {
				t.Errorf("%d: a TTL of %d s is refused", year, ttl)
			}
			if want := int(keep / time.Second); ttl != want && now.Add(keep).Year() < 2038 {
				t.Errorf("%d: the TTL is %d, want %d", year, ttl, want)
			}
		}
		if l := (&journal{cfg: Config{Now: func() time.Time { return now }}}); year == 2035 && int64(l.ttl(store.MaxNoteAge)) > lastExpiry.Unix()-now.Unix() {
			t.Errorf("the TTL of a mark in 2035 is %d", l.ttl(store.MaxNoteAge))
		}
	}
}
