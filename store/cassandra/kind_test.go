package cassandra

import (
	"context"
	"errors"
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Every statement has a kind of few words, and no value of a user is part of the kind.
func TestKindOf(t *testing.T) {
	for cql, want := range map[string]string{
		insertMessage:                       "insert mailbox",
		listSlice:                           "select mailbox",
		deleteChunk:                         "delete content",
		addRemoved:                          "update content",
		clearTrash:                          "delete trash",
		selectClock:                         "select system",
		selectHeartbeats:                    "select system",
		fmt.Sprintf(selectVersions, "mail"): "select schema_version",
		fmt.Sprintf(insertVersion, "mail"):  "insert schema_version",
		"":                                  "other",
		"CREATE TABLE mailbox":              "other",
		"SELECT":                            "other",
	} {
		if got := kindOf(cql); got != want {
			t.Errorf("%s: %q, want %q", cql, got, want)
		}
	}
}

func TestErrorClass(t *testing.T) {
	for want, errs := range map[string][]error{
		"timeout":    {gocql.ErrTimeoutNoResponse, context.DeadlineExceeded},
		"connection": {gocql.ErrNoConnections, fmt.Errorf("x: %w", gocql.ErrConnectionClosed)},
		"other":      {errors.New("x")},
	} {
		for _, err := range errs {
			if got := errorClass(err); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}
