package cassandratest_test

import (
	"path/filepath"
	"testing"

	"popelago/cassandratest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// taken is a folder after takeFolder.
type taken struct {
	name  string
	alone bool
	ready func() error
	leave func()
}

func take(t *testing.T, dir string, share bool) taken {
	t.Helper()
	path, alone, ready, leave, err := cassandratest.TakeFolder(dir, "x", share)
	check(t, err)
	t.Cleanup(leave)
	return taken{filepath.Base(path), alone, ready, leave}
}

// Processes that share a cluster have the same cluster, and a process that does not share gets
// another.
func TestSharedClusterHasSeveralUsers(t *testing.T) {
	dir := t.TempDir()
	first := take(t, dir, true)
	check(t, first.ready())
	second := take(t, dir, true)
	check(t, second.ready())
	if first.name != "x" || second.name != "x" || !first.alone || second.alone {
		t.Errorf("got %+v and %+v, want x twice, first alone", first, second)
	}
	rough := take(t, dir, false)
	check(t, rough.ready())
	if rough.name != "x-2" {
		t.Errorf("a process that may kill nodes got %s, want x-2", rough.name)
	}
	first.leave()
	third := take(t, dir, true)
	check(t, third.ready())
	if third.name != "x" || third.alone {
		t.Errorf("got %+v, want x with another", third)
	}
	second.leave()
	third.leave()
	if last := take(t, dir, true); last.name != "x" || !last.alone {
		t.Errorf("got %+v, want x alone", last)
	}
}

// A process that shares waits while another process starts the cluster.
func TestSharedClusterIsSetUpOnce(t *testing.T) {
	dir := t.TempDir()
	first := take(t, dir, true)
	came := make(chan taken)
	go func() {
		path, alone, ready, leave, err := cassandratest.TakeFolder(dir, "x", true)
		if err != nil {
			t.Error(err)
		}
		came <- taken{filepath.Base(path), alone, ready, leave}
	}()
	up, ready := make(chan struct{}), make(chan error, 1)
	go func() {
		close(up)
		ready <- first.ready()
	}()
	second := <-came
	defer second.leave()
	check(t, <-ready)
	select {
	case <-up:
	default:
		t.Error("the second came before the cluster was up")
	}
	if second.name != "x" || second.alone {
		t.Errorf("got %+v, want x with another", second)
	}
}
