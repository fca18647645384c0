package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrNotPrivate: other users may read or write a file of the server.
var ErrNotPrivate = errors.New("others may read or write it")

// othersMay are the permissions that a private file must not have: all for everybody, and writing for
// the group. A group may read: root may own a secret that the server's group reads.
const othersMay fs.FileMode = 0o027

// CheckPrivate returns ErrNotPrivate, with a command that helps, if everybody may read or write a file
// or folder, or its group may write. A missing file is private.
func CheckPrivate(name string) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Perm()&othersMay == 0 {
		return nil
	}
	mode := "600"
	if info.IsDir() {
		mode = "700"
	}
	return fmt.Errorf("%s: %w (mode %04o): chmod %s %s", name, ErrNotPrivate, info.Mode().Perm(), mode, shellWord(name))
}

// shellWord returns a name as one word of a shell.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
