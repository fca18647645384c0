package cassandratest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// folder is a subfolder for a cluster that this process may use.
type folder struct {
	path string
	// alone reports that no other process used the cluster when this one took it, nor does any
	// until ready.
	alone bool
	// ready lets others who share the cluster in. It must be called once the cluster is up.
	ready func() error
	// leave ends the use; so does the end of the process.
	leave func()
}

// takeFolder takes the first subfolder with this name or name-2, name-3, ... that is free: that
// nobody uses, or for a process that shares it, that none uses who does not.
//
// The lock file of a folder is locked exclusively by a process that may hurt the nodes, and shared by
// those that do not. It is taken with the setup file locked, which processes that share a cluster hold
// until the nodes are up: so one of them starts the cluster, and the others wait.
func takeFolder(dir, name string, share bool) (folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return folder{}, err
	}
	path := filepath.Join(dir, name)
	for i := 2; ; i++ {
		f, err := tryFolder(path, share)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, err
		}
		path = filepath.Join(dir, fmt.Sprintf("%s-%d", name, i))
	}
}

// tryFolder takes one folder. The error is EWOULDBLOCK if it is not free.
func tryFolder(path string, share bool) (folder, error) {
	endSetup, err := lockFile(path+".setup", true)
	if err != nil {
		return folder{}, err
	}
	lock, err := openLocked(path+".lock", syscall.LOCK_EX|syscall.LOCK_NB)
	alone := err == nil
	if errors.Is(err, syscall.EWOULDBLOCK) && share {
		lock, err = openLocked(path+".lock", syscall.LOCK_SH|syscall.LOCK_NB)
	}
	if err != nil {
		endSetup()
		return folder{}, err
	}
	f := folder{path: path, alone: alone, ready: func() error { return nil }}
	f.leave = func() { lock.Close(); endSetup() }
	if !share {
		endSetup()
		return f, nil
	}
	f.ready = func() error {
		defer endSetup()
		return flock(lock, syscall.LOCK_SH) // nobody else can come before: the setup file is locked
	}
	return f, nil
}
