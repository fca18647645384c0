package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrNotPrivate says that somebody else may read or write what only the server is to.
var ErrNotPrivate = errors.New("others may read or write it")

// othersMay are the permissions that nothing private has: all of everybody else, and writing of
// the group. A group may read, as where root owns a secret and the server's group has it.
const othersMay fs.FileMode = 0o027

// CheckPrivate is an ErrNotPrivate where everybody may read or write a file or folder, or its
// group may write it. The text has the command that mends it. A file that is not there is
// private.
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

// shellWord is a name as a shell takes it for one word.
func shellWord(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r)
	}
	if strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
