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
	// alone reports that no process uses the cluster besides this process before ready.
	alone bool
	// ready admits the further processes that share the cluster. It must be called when the cluster
	// is up.
	ready func() error
	// leave ends the use; so does the end of the process.
	leave func()
}

// takeFolder takes the first free subfolder with the name or name-2, name-3, ... A folder without
// users is free. For a process that shares, a folder is also free if all its users share.
//
// The lock file of a folder is locked exclusively by a process that may harm the nodes, and shared by
// processes that do not. A process takes the lock with the setup file locked. A process that shares
// the cluster keeps the setup file locked until the nodes are up: so a single process starts the
// cluster, and all further processes wait.
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

// tryFolder takes one folder. The error is EWOULDBLOCK if the folder is not free.
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
		return flock(lock, syscall.LOCK_SH) // no process can come before: the setup file is locked
	}
	return f, nil
}
