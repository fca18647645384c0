package cassandratest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A node without an answering peer starts again a limited number of times, and another fault ends the start.
func TestLonelyNode(t *testing.T) {
	for fault, starts := range map[string]int{"Unable to gossip with any peers": lonelyStarts, "Address already in use": 1} {
		dir := t.TempDir()
		java := filepath.Join(dir, "java")
		if err := os.WriteFile(java, []byte("#!/bin/sh\necho 'Exception: "+fault+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		n := &Node{Name: "dc1-2", Address: "127.0.0.1:1", dir: dir, java: java}
		if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", fault, err)
		}
		if got := strings.Count(n.output(), fault); got != starts {
			t.Errorf("%s: %d starts, want %d", fault, got, starts)
		}
	}
}
