package account

import (
	"context"
	"testing"

	"popelago/store"
)

// A walk ends at a page without rows, whatever the store says of further rows.
func TestWalkEndsAtAnEmptyPage(t *testing.T) {
	pages := 0
	list := func(context.Context, string, string, int) ([]store.Address, bool, error) {
		if pages++; pages > 1 {
			t.Fatal("the walk goes on")
		}
		return nil, true, nil
	}
	if err := EachAddress(t.Context(), list, "example.test", "", 5, func([]store.Address) (bool, error) { return true, nil }); err != nil {
		t.Error(err)
	}
}
