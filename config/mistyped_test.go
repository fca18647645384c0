package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A character in a wrong place is named by its name, not by its octets.
func TestStrangeCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"\uFEFF\uFEFFhostname = \"h.test\"\n":   ":1:1: here stands the invisible character U+FEFF",
		"hostname = \"h.test\"\n\uFEFF[pop3]\n": ":2:1: here stands the invisible character U+FEFF",
		"hostname\u00A0= \"h.test\"\n":          ":1:9: here stands the invisible character U+00A0",
		"hostname =\u00A0\"h.test\"\n":          ":1:11: here stands the invisible character U+00A0",
		"hostname = \"h.test\"\u2028[pop3]\n":   "here stands the invisible character U+2028",
		"host\u2013name = \"h.test\"\n":         ":1:5: \u2013 (U+2013) can stand only in a text in quotation marks",
		"hostname = \u2033h.test\u2033\n":       "\u2033 (U+2033) is a typographic quotation mark",
		"hostname = \uFF02h.test\uFF02\n":       "\uFF02 (U+FF02) is a typographic quotation mark",
		"# M\xFCller\nhostname = \"h.test\"\n":  ":1:4: octet 0xFC is not UTF-8: save the file as UTF-8",
		"hostname = \"m\xFCller.test\"\n":       ":1:14: octet 0xFC is not UTF-8: save the file as UTF-8",
		"hostname = \"\u201Ch.test\u201D\"\n":   "has a quotation mark",
		"hostname = \"h\\u200B.test\"\n":        "octet 2 begins the character U+200B, which cannot be seen",
		"hostname = h.test\n":                   "1:12",
	} {
		_, err := loadText(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Only a shell expands $HOME, too. A folder with such a name is accepted.
func TestPathsForShells(t *testing.T) {
	if _, err := loadText(t, "data_dir = \"$HOME/mail\"\n"); err == nil || !strings.Contains(err.Error(), "begins with $, which only a shell replaces") {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	const text = "data_dir = \"./~/mail\"\n[pop3]\nlisten = \":110\"\n"
	if err := os.WriteFile("popelago.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load("popelago.toml", nil)
	if err == nil {
		err = c.Validate()
	}
	if err != nil || filepath.Clean(c.DataDir) != "~/mail" {
		t.Errorf("a folder of that name: %q, %v", c.DataDir, err)
	}
}

func TestMistypedListenAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"[::1]":           "the port is missing",
		"300.1.1.1:7110":  `"300.1.1.1" is not an IPv4 address`,
		"127.0.0:7110":    `"127.0.0" is not an IPv4 address`,
		"\uFF10:7110":     `is not an IPv4 address`,
		"127.0.0.1:7110":  "",
		"mx1.a1.test:25":  "",
		"localhost4:7110": "",
	} {
		_, err := loadText(t, "[pop3]\nlisten = \""+address+"\"\n")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
