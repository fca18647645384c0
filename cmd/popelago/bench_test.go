package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"popelago/bench"
)

// Users come from a pattern, from flags or from a file; passwords from a file, standard input or
// the environment, and the file goes first.
func TestBenchLogins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("# comment\nalice@example.test of alice\nuser2@example.test  two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		env   string
		want  []bench.Login
		err   string
	}{
		{"pattern, environment", []string{"--users", "2"}, "", "common",
			[]bench.Login{{Name: "user1@example.test", Password: "common"}, {Name: "user2@example.test", Password: "common"}}, ""},
		{"pattern, file and environment", []string{"--users", "1", "--first-user", "2", "--password-file", file}, "", "common",
			[]bench.Login{{Name: "user2@example.test", Password: "two"}}, ""},
		{"flag, standard input", []string{"--user", "bob@example.test", "--password-stdin"}, "of bob\n", "common",
			[]bench.Login{{Name: "bob@example.test", Password: "of bob"}}, ""},
		{"users and passwords in one file", []string{"--users-file", file, "--password-file", file}, "", "",
			[]bench.Login{{Name: "alice@example.test", Password: "of alice"}, {Name: "user2@example.test", Password: "two"}}, ""},
		{"no password", []string{"--users", "1"}, "", "", nil, "no password for user1@example.test"},
		{"no number in the pattern", []string{"--pattern", "user@example.test"}, "", "common", nil, "exactly one %d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(benchPasswordEnv, c.env)
			cmd := newBenchPollCommand()
			cmd.ResetFlags()
			var l benchLogins
			l.add(cmd)
			cmd.SetIn(strings.NewReader(c.stdin))
			if err := cmd.ParseFlags(c.args); err != nil {
				t.Fatal(err)
			}
			got, err := l.list(cmd)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("logins (-want +got):\n%s", diff)
			}
		})
	}
}

// A run with errors prints its report all the same and fails.
func TestBenchReportsErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Write([]byte("+OK\r\n+OK\r\n-ERR [AUTH] no\r\n"))
			conn.(*net.TCPConn).CloseWrite()
			defer conn.Close()
		}
	}()
	t.Setenv(benchPasswordEnv, "secret")
	cmd := newBenchCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"poll", "--addr", l.Addr().String(), "--users", "1", "--count", "3", "--json"})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err == nil || err.Error() != "bench: errors: 3" {
		t.Errorf("error %v, want 3 errors", err)
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.ErrorCount() != 3 {
		t.Errorf("report %q, %v", out.String(), err)
	}
}
