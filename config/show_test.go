package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestValues(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.toml")
	if err := os.WriteFile(file, []byte("config_version = 1\n[pop3]\nlisten = \":1110\"\n[admin]\ntoken_file = \"secret\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, []string{"POPELAGO_LOG_LEVEL=debug"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Value{
		"pop3.listen": {"pop3.listen", `":1110"`, `""`, file + ":3"},
		"log.level":   {"log.level", `"debug"`, `"info"`, "POPELAGO_LOG_LEVEL"},
		"log.format":  {"log.format", `"text"`, `"text"`, ""},
	}
	values := c.Values()
	for _, v := range values {
		if w, ok := want[v.Key]; ok && v != w {
			t.Errorf("%+v, want %+v", v, w)
		}
		for _, word := range []string{"password", "secret", "token", "key"} {
			if strings.HasSuffix(v.Key, word) && v.Key != "tls.key" && v.Key != "cassandra.tls_key" {
				t.Errorf("%s may hold a secret, which \"config show\" would print", v.Key)
			}
		}
	}
	if len(values) != len(settings(&c)) {
		t.Errorf("%d values of %d settings", len(values), len(settings(&c)))
	}

	other := c.Clone()
	other.Log.Level, other.POP3.MaxConns = "warn", 7
	if got := Differences(&c, &other); !slices.Equal(got, []string{"pop3.max_connections", "log.level"}) {
		t.Errorf("differences %v", got)
	}
	other.Adopt(&c, "log.level", func(to, from *Config) { to.Log.Level = from.Log.Level })
	if got := Differences(&c, &other); !slices.Equal(got, []string{"pop3.max_connections"}) {
		t.Errorf("differences %v", got)
	}
}
