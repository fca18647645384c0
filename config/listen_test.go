package config

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestListen: a listener takes one address or several, in every place where settings are made.
func TestListen(t *testing.T) {
	tests := []struct {
		toml, env string
		want      []string
	}{
		{`":110"`, ":110", []string{":110"}},
		{`[":110"]`, " :110 ", []string{":110"}},
		{`["127.0.0.1:110", "[::1]:110"]`, "127.0.0.1:110, [::1]:110", []string{"127.0.0.1:110", "[::1]:110"}},
		{`["0.0.0.0:110", "[::]:110"]`, "0.0.0.0:110,[::]:110", []string{"0.0.0.0:110", "[::]:110"}},
		{`["127.0.0.1:110", "127.0.0.1:1110", "[fe80::1%eth0]:110"]`, "127.0.0.1:110,127.0.0.1:1110,[fe80::1%eth0]:110",
			[]string{"127.0.0.1:110", "127.0.0.1:1110", "[fe80::1%eth0]:110"}},
		{`""`, "", nil},
		{`[]`, " ", nil},
	}
	for _, test := range tests {
		file := filepath.Join(t.TempDir(), "popelago.toml")
		if err := os.WriteFile(file, []byte("[smtp]\nlisten = \":25\"\n[pop3]\nlisten = "+test.toml+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		fromFile, err := Load(file, nil)
		if err == nil {
			err = fromFile.Validate()
		}
		if err != nil || !slices.Equal(fromFile.POP3.Listen, test.want) {
			t.Errorf("%s: %q, %v", test.toml, fromFile.POP3.Listen, err)
		}
		fromEnv, err := Load("", []string{"POPELAGO_POP3_LISTEN=" + test.env})
		if err != nil || !slices.Equal(fromEnv.POP3.Listen, test.want) {
			t.Errorf("%s: %q, %v", test.env, fromEnv.POP3.Listen, err)
		}
		flag := Default()
		if err := flag.Set("pop3.listen", test.env, "--pop3"); err != nil || !slices.Equal(flag.POP3.Listen, test.want) {
			t.Errorf("--pop3 %s: %q, %v", test.env, flag.POP3.Listen, err)
		}
		again := Default()
		if err := again.Set("pop3.listen", test.env, "--pop3"); err != nil {
			t.Fatal(err)
		}
		literal := byKey(&again)["pop3.listen"].value.literal()
		if err := os.WriteFile(file, []byte("[smtp]\nlisten = \":25\"\n[pop3]\nlisten = "+literal+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if read, err := Load(file, nil); err != nil || !slices.Equal(read.POP3.Listen, test.want) {
			t.Errorf("written as %s, read as %q, %v", literal, read.POP3.Listen, err)
		}
	}
	var b bytes.Buffer
	if err := Describe(&b); err != nil || !bytes.Contains(b.Bytes(), []byte("listen = \"\"\n")) {
		t.Errorf("the reference has no empty listen: %v", err)
	}
}

// TestSettingsThatWereNotRead: settings from code are checked like settings from a file.
func TestSettingsThatWereNotRead(t *testing.T) {
	c := Default()
	c.POP3.Listen = []string{"0.0.0.0:110", "127.0.0.1:110"}
	if err := c.Validate(); err == nil {
		t.Error("an address inside another was accepted")
	}
	c.POP3.Listen = []string{"127.0.0.1:110", "[::1]:110"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNetwork(t *testing.T) {
	for _, test := range []struct {
		address string
		all     []string
		want    string
	}{
		{"[::]:110", []string{"[::]:110"}, "tcp"},
		{"[::]:110", []string{"[::]:110", "0.0.0.0:110"}, "tcp6"},
		{"[::]:110", []string{"127.0.0.1:110", "[::]:110"}, "tcp6"},
		{"[0:0::0]:110", []string{"127.0.0.1:0110", "[0:0::0]:110"}, "tcp6"},
		{"[::]:110", []string{"[::]:110", "127.0.0.1:1110", "[::1]:110", "localhost:110"}, "tcp"},
		{"[::]:0", []string{"[::]:0", "127.0.0.1:0"}, "tcp"},
		{"[::1]:110", []string{"[::1]:110", "127.0.0.1:110"}, "tcp"},
		{"0.0.0.0:110", []string{"0.0.0.0:110"}, "tcp4"},
		{"[::ffff:127.0.0.1]:110", nil, "tcp4"},
		{"localhost:110", nil, "tcp"},
		{":110", []string{":110", "127.0.0.1:110"}, "tcp"},
		{"unix:/run/lmtp", []string{"unix:/run/lmtp", "127.0.0.1:110"}, "tcp"},
	} {
		if got := Network(test.address, test.all); got != test.want {
			t.Errorf("%s of %v: %s, want %s", test.address, test.all, got, test.want)
		}
	}
}
