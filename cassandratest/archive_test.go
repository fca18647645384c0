package cassandratest_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"popelago/cassandratest"
)

func TestWithArchive(t *testing.T) {
	args := []string{"-ea", "-cp", "/nodes/dc1-1:/jars/*", "Main"}
	got := cassandratest.WithArchive(args, "/nodes/dc1-1", "-XX:SharedArchiveFile=x.jsa")
	if want := []string{"-ea", "-XX:SharedArchiveFile=x.jsa", "-cp", "/jars/*", "Main"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(args, []string{"-ea", "-cp", "/nodes/dc1-1:/jars/*", "Main"}) {
		t.Errorf("the arguments have changed: %q", args)
	}
}

// After a failure nodes start without an archive, and no later start tries again.
func TestNoArchive(t *testing.T) {
	java := filepath.Join(t.TempDir(), "java")
	if err := os.WriteFile(java, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	lib, tries := filepath.Join(t.TempDir(), "jars"), 0
	o := cassandratest.Options{Log: func(string) { tries++ }}
	for range 2 {
		if got := cassandratest.Archive(context.Background(), java, lib, o); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if tries != 2 { // a line for the start, and a line for its failure
		t.Errorf("%d lines, want 2", tries)
	}
}
