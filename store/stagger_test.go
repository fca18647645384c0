package store

import (
	"testing"
	"time"
)

func TestStagger(t *testing.T) {
	different := map[time.Duration]bool{}
	for range 100 {
		d := Stagger(time.Hour)
		if d > time.Hour || d < 54*time.Minute {
			t.Fatalf("a pause of an hour became %v", d)
		}
		different[d] = true
	}
	if len(different) < 90 {
		t.Errorf("100 pauses have %d lengths", len(different))
	}
	if d := Stagger(5); d != 5 {
		t.Errorf("a pause of 5 ns became %v", d)
	}
}
