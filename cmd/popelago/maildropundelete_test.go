package main

import (
	"context"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// The requests of a long restore name its begin, so that messages removed meanwhile stay removed.
func TestRestoreGoesOnWithItsBegin(t *testing.T) {
	began := time.Now()
	var got []adminclient.RestoreRequest
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	cmd.SetOut(t.Output())
	requests := []adminclient.RestoreRequest{{All: true}}
	err := restoreAll(cmd, &remoteFlags{}, "alice@example.test", requests, func(_ context.Context, r adminclient.RestoreRequest) (adminclient.Restored, error) {
		got = append(got, r)
		if len(got) == 3 {
			return adminclient.Restored{Messages: 1}, nil
		}
		return adminclient.Restored{Messages: 1, More: true, Began: &began}, nil
	})
	if err != nil || len(got) != 3 || got[0].Began != nil {
		t.Fatalf("%d requests: %+v, %v", len(got), got, err)
	}
	for _, r := range got[1:] {
		if !r.All || r.Began == nil || !r.Began.Equal(began) {
			t.Errorf("a further request: %+v", r)
		}
	}
}
