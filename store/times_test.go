package store_test

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Safety rests on the order of the times.
func TestTimeLine(t *testing.T) {
	for _, test := range []struct {
		what           string
		earlier, later time.Duration
	}{
		{"operators are warned before a clock is not trusted", store.ClockWarning, store.MaxClockSkew},
		{"an id that is ahead by itself is in the tolerance of clocks", mail.MaxIDAhead, store.MaxClockSkew},
		{"two trusted clocks differ by twice the skew", 2 * store.MaxClockSkew, store.MaxOthersAhead},
		{"an entry is read although it took long and the clocks differ", store.MaxIDAge + store.MaxOthersAhead, store.MaxEntryDelay},
		{"an entry gets a new moment before the others stop looking", store.RenewEntryAfter + store.MaxOthersAhead, store.MaxEntryDelay},
		{"a repetition knows of the entry before its id is too old", store.MaxEntryDelay, store.ReuseAge(store.DefaultWindow)},
		{"the rows of a repetition are written before the window ends, by any clock",
			store.ReuseAge(store.DefaultWindow) + store.MaxIDAge + store.MaxOthersAhead, store.DefaultWindow},
		{"a bulk mark that a read cannot have missed lies ahead", store.MaxOthersAhead, store.DefaultWindow - store.MaxOthersAhead},
		{"a single machine needs no more than a cluster", store.LocalWindow, store.DefaultWindow},
		{"the age of an id is not cut in the shortest safe window", store.MaxIDAge, store.MaxIDAgeIn(store.LocalWindow)},
		{"a floor is held until a renewal half way", store.DefaultWindow, store.FloorHold / 2},
		{"a removal is remembered longer than its id is in flight", store.DefaultWindow + store.MaxOthersAhead, store.MinRemovalMemory},
	} {
		if test.earlier > test.later {
			t.Errorf("%s: %v is more than %v", test.what, test.earlier, test.later)
		}
	}
	// A machine has a single clock, also in a window for tests.
	for _, window := range []time.Duration{time.Second, time.Minute, store.LocalWindow, store.DefaultWindow, 30 * 24 * time.Hour} {
		if last := store.ReuseAge(window) + store.MaxIDAgeIn(window); last >= window {
			t.Errorf("in a window of %v rows may be written at %v", window, last)
		}
	}
}
