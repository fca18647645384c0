package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

// A restore that is not complete names the flag for the next command, too, and its result in JSON the begin. The begin is that of
// the command if the server names none.
func TestIncompleteRestoreNamesItsBegin(t *testing.T) {
	began := time.Date(2026, 11, 28, 10, 0, 0, 123e6, time.UTC)
	for _, test := range []struct {
		last  adminclient.Restored
		lacks bool // an error
	}{
		{adminclient.Restored{More: true, Began: &began}, true},
		{adminclient.Restored{Waiting: 1, Began: &began}, true},
		{adminclient.Restored{Waiting: 1}, true},
		{adminclient.Restored{Partial: true}, false},
		{adminclient.Restored{Gone: 1}, true},
		{adminclient.Restored{}, false},
	} {
		var out, notes strings.Builder
		cmd := &cobra.Command{}
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		cmd.SetErr(&notes)
		parts := []adminclient.Restored{{Messages: 1, More: true, Began: &began}, test.last}
		err := restoreAll(cmd, &remoteFlags{json: true}, "alice@example.test", []adminclient.RestoreRequest{{All: true}}, func(context.Context, adminclient.RestoreRequest) (adminclient.Restored, error) {
			part := parts[0]
			parts = parts[1:]
			return part, nil
		})
		want := test.last.More || test.last.Waiting > 0 || test.last.Partial
		named := strings.Contains(fmt.Sprint(err)+notes.String(), "--before 2026-11-28T10:00:00.123Z")
		if (err != nil) != test.lacks || named != want || strings.Contains(out.String(), `"began": "2026-11-28T10:00:00.123Z"`) != want {
			t.Errorf("%+v: %v, notes %q, output %s", test.last, err, notes.String(), out.String())
		}
	}
}

// The error of a restore that has stopped names the flag for the next command, and the flag goes to the server.
func TestStoppedRestoreNamesItsBegin(t *testing.T) {
	began := time.Date(2026, 11, 28, 10, 0, 0, 123e6, time.UTC)
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	requests, err := restores(nil, true, sinceFlag{}, sinceFlag{"2026-11-28T10:00:00.123Z"})
	if err != nil || len(requests) != 1 || requests[0].Began == nil || !requests[0].Began.Equal(began) {
		t.Fatalf("%+v, %v", requests, err)
	}
	unavailable := &adminclient.Error{Status: http.StatusServiceUnavailable, Detail: "x"}
	for _, test := range []struct {
		parts int // without an error
		err   error
		begin bool
	}{{0, unavailable, true}, {1, unavailable, true}, {0, adminclient.ErrNoAnswer, true}, {0, &adminclient.Error{Status: http.StatusNotFound}, false}, {0, adminclient.ErrNoServer, false}} {
		parts := 0
		err := restoreAll(cmd, &remoteFlags{}, "alice@example.test", requests, func(context.Context, adminclient.RestoreRequest) (adminclient.Restored, error) {
			if parts++; parts <= test.parts {
				return adminclient.Restored{Messages: 1, More: true}, nil
			}
			return adminclient.Restored{}, test.err
		})
		if !errors.Is(err, test.err) || strings.Contains(fmt.Sprint(err), "--before 2026-11-28T10:00:00.123Z") != test.begin {
			t.Errorf("after %d parts: %v", test.parts, err)
		}
	}
}
