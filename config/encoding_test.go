package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// loadText loads a configuration from a text.
func loadText(t *testing.T, text string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "popelago.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(file, nil)
}

// inUTF16 encodes a text as editors of Windows do.
func inUTF16(text string, bigEndian, mark bool) string {
	var b strings.Builder
	runes := []rune(text)
	if mark {
		runes = append([]rune{0xFEFF}, runes...)
	}
	for _, unit := range utf16.Encode(runes) {
		pair := []byte{byte(unit), byte(unit >> 8)}
		if bigEndian {
			pair[0], pair[1] = pair[1], pair[0]
		}
		b.Write(pair)
	}
	return b.String()
}

// A byte order mark is skipped, and the encoding of a text without UTF-8 is named.
func TestEncodings(t *testing.T) {
	const text = "hostname = \"mail.example.org\"\n"
	c, err := loadText(t, "\uFEFF"+text)
	if err != nil || c.Hostname != "mail.example.org" {
		t.Errorf("with a byte order mark: %q, %v", c.Hostname, err)
	}
	if _, err := loadText(t, "\uFEFFhostnam = 1\n"); err == nil || !strings.Contains(err.Error(), ":1: hostnam") {
		t.Errorf("a mistake behind a byte order mark: %v", err)
	}
	for _, bigEndian := range []bool{false, true} {
		for _, mark := range []bool{false, true} {
			_, err := loadText(t, inUTF16(text, bigEndian, mark))
			if err == nil || !strings.Contains(err.Error(), "is UTF-16: save it as UTF-8") {
				t.Errorf("UTF-16, big endian %v, with a mark %v: %v", bigEndian, mark, err)
			}
		}
	}
}

// Typographic quotation marks are named where they break a line, and accepted inside of texts.
func TestTypographicQuotes(t *testing.T) {
	for _, marks := range []string{"\u201C\u201D", "\u201E\u201C", "\u2018\u2019", "\u00AB\u00BB"} {
		r := []rune(marks)
		open, end := string(r[0]), string(r[1])
		_, err := loadText(t, "data_dir = \"x\"\nhostname = "+open+"mail.example.org"+end+"\n")
		if err == nil || !strings.Contains(err.Error(), open) || !strings.Contains(err.Error(), "typographic quotation mark") || !strings.Contains(err.Error(), "popelago.toml:2") {
			t.Errorf("%s: %v", marks, err)
		}
	}
	if _, err := loadText(t, "# \u201Cquoted\u201D\nhostname = \"mail.example.org\"\n"); err != nil {
		t.Errorf("in a comment: %v", err)
	}
}

// Only a shell expands ~.
func TestTilde(t *testing.T) {
	for _, path := range []string{"~", "~/mail", "~popelago/mail"} {
		_, err := loadText(t, "data_dir = \""+path+"\"\n")
		if err == nil || !strings.Contains(err.Error(), "begins with ~, which only a shell replaces") {
			t.Errorf("%s: %v", path, err)
		}
	}
	c, err := loadText(t, "data_dir = \"./~mail\"\n")
	if err != nil || filepath.Base(c.DataDir) != "~mail" {
		t.Errorf("a folder with ~ in its name: %q, %v", c.DataDir, err)
	}
}
