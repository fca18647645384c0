package cassandra

import (
	"errors"
	"os"
	"path/filepath"
)

// spoolPath returns the path of a file in the spool folder.
func (c Config) spoolPath(name string) string {
	dir := c.SpoolDir
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, name)
}

// writeDurably writes a text to a file and syncs file and folder. After an error or a crash the file
// has the old text or the new one.
func writeDurably(path, text string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
