package store_test

import (
	"testing"
	"time"

	"popelago/store"
)

func TestDayOf(t *testing.T) {
	for day, at := range map[int]string{0: "1970-01-01T23:59:59.999999Z", 20783: "2026-11-26T00:00:00Z"} {
		moment, err := time.Parse(time.RFC3339Nano, at)
		if err != nil || store.DayOf(moment) != day {
			t.Errorf("DayOf(%s) = %d, want %d", at, store.DayOf(moment), day)
		}
	}
}
