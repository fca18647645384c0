package main

import (
	"errors"
	"strings"
	"testing"

	"popelago/adminclient"
)

// The commands for late mail repeat their request until no more messages are selected.
func TestLateUntilNoMore(t *testing.T) {
	parts := []adminclient.LateCount{{Messages: 3, More: true}, {Messages: 2, More: true}, {Messages: 1}}
	calls := 0
	sum, err := untilNoMore(func() (adminclient.LateCount, error) { calls++; return parts[calls-1], nil })
	if err != nil || sum.Messages != 6 || sum.More || calls != 3 {
		t.Errorf("%+v, %v after %d requests", sum, err, calls)
	}
	calls = 0
	broken := errors.New("broken")
	_, err = untilNoMore(func() (adminclient.LateCount, error) {
		if calls++; calls == 3 {
			return adminclient.LateCount{}, broken
		}
		return parts[0], nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "after 6 messages") {
		t.Errorf("an error: %v", err)
	}
}
