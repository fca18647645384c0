package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPrivate(t *testing.T) {
	dir := t.TempDir()
	for mode, private := range map[fs.FileMode]bool{
		0o600: true, 0o640: true, 0o400: true, 0o700: true,
		0o604: false, 0o602: false, 0o620: false, 0o644: false, 0o666: false,
	} {
		name := filepath.Join(dir, "it's a secret")
		if err := os.WriteFile(name, []byte("secret\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		err := CheckPrivate(name)
		if (err == nil) != private {
			t.Errorf("a file with mode %o: %v", mode, err)
		}
		if !private && (!errors.Is(err, ErrNotPrivate) || !strings.HasSuffix(err.Error(), `: chmod 600 '`+dir+`/it'\''s a secret'`)) {
			t.Errorf("a file with mode %o: %v; the command is missing", mode, err)
		}
		if _, err := ReadSecret(name); (err == nil) != private {
			t.Errorf("the secret in a file with mode %o: %v", mode, err)
		}
	}
	for mode, private := range map[fs.FileMode]bool{0o700: true, 0o750: true, 0o755: false, 0o770: false, 0o701: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		err := CheckPrivate(dir)
		if (err == nil) != private || !private && !strings.HasSuffix(err.Error(), ": chmod 700 "+dir) {
			t.Errorf("a folder with mode %o: %v", mode, err)
		}
	}
	if err := CheckPrivate(filepath.Join(dir, "none")); err != nil {
		t.Errorf("a folder that is not there yet: %v", err)
	}
}

func TestReadToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	for text, ok := range map[string]bool{"abc\n": false, "123456789012345\n": false, "1234567890123456\n": true, "1234567890 234567\n": true,
		"1234567890123456 \n": false, " 1234567890123456\n": false, strings.Repeat(" ", 20) + "\n": false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadToken(file)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "head -c 24 /dev/urandom | base64 >"+file) || strings.Contains(err.Error(), strings.TrimRight(text, "\n"))) {
			t.Errorf("%q: the error should have a command, and not the token: %v", text, err)
		}
	}
}
