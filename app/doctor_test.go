package app_test

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popelago/app"
	"popelago/config"
)

// examined returns the findings of the doctor for a check, with a level.
func examined(t *testing.T, cfg config.Config, running bool, check, level string) (texts []string) {
	t.Helper()
	found, err := app.Doctor(t.Context(), cfg, running)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Check == check && f.Level == level {
			texts = append(texts, f.Text+" -> "+f.Hint)
		}
	}
	return texts
}

// TestDoctorTriesAddresses: the doctor finds addresses that keep a server from starting, and leaves them free. Beside
// a running server it tries none.
func TestDoctorTriesAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	cfg := devConfig(t)
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	cfg.POP3.Listen = []string{":" + port}
	cfg.SMTP.Listen = []string{free.Addr().String(), taken.Addr().String()}
	cfg.Metrics.Listen = []string{"192.0.2.1:9090"}
	cfg.LMTP.Listen = []string{"unix:/nowhere/lmtp"}
	bad := examined(t, cfg, false, "listen", app.FindingError)
	for i, want := range []string{"pop3 cannot listen on :" + port + ": another process", "smtp cannot listen on " + taken.Addr().String(), "lmtp cannot listen on unix:/nowhere/lmtp: stat /nowhere: no such", "metrics cannot listen on 192.0.2.1:9090: "} {
		if len(bad) != 4 || !strings.HasPrefix(bad[i], want) {
			t.Errorf("errors %q, want %q at place %d", bad, want, i)
		}
	}
	if good := examined(t, cfg, false, "listen", app.FindingOK); !slices.Equal(good, []string{"pop3s on 127.0.0.1:0 -> "}) {
		t.Errorf("good addresses: %q", good)
	}
	if bad := examined(t, cfg, true, "listen", app.FindingError); len(bad) > 0 {
		t.Errorf("beside a running server: %q", bad)
	}
	again, err := net.Listen("tcp", free.Addr().String())
	if err != nil {
		t.Fatalf("the doctor holds an address: %v", err)
	}
	again.Close()
}

// TestDoctorReadsFiles: the doctor finds the secrets that keep a server from starting.
func TestDoctorReadsFiles(t *testing.T) {
	cfg := devConfig(t)
	cfg.Admin.Listen, cfg.Admin.TokenFile = []string{"127.0.0.1:0"}, filepath.Join(t.TempDir(), "token")
	cfg.Events.Webhooks, cfg.Events.Keys = []string{"crm=https://hooks.example.org/"}, filepath.Join(t.TempDir(), "keys")
	bad := examined(t, cfg, true, "files", app.FindingError)
	if len(bad) != 2 || !strings.HasPrefix(bad[0], "admin.token_file: ") || !strings.HasPrefix(bad[1], "events.webhook_keys: ") {
		t.Errorf("errors %q, want the token and the keys", bad)
	}
	if bad := examined(t, devConfig(t), true, "files", app.FindingError); len(bad) > 0 {
		t.Errorf("without files: %q", bad)
	}
}

// TestDoctorLooksAtTheKey: a private key that every user may read is a warning of the doctor.
func TestDoctorLooksAtTheKey(t *testing.T) {
	cfg := devConfig(t)
	cfg.TLS.Key = filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(cfg.TLS.Key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o640: 0, 0o644: 1} {
		if err := os.Chmod(cfg.TLS.Key, mode); err != nil {
			t.Fatal(err)
		}
		if got := examined(t, cfg, true, "tls", app.FindingWarning); len(got) != want {
			t.Errorf("mode %o: warnings %q, want %d", mode, got, want)
		}
	}
}

// TestDoctorLooksAtTheFolder: the remedy fits the fault of the data folder.
func TestDoctorLooksAtTheFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                              "set data_dir to a folder",
		filepath.Join(file, "below"):      "set data_dir to a folder",
		open:                              "chmod 700 the folder",
		filepath.Join(t.TempDir(), "a/b"): "",
	} {
		cfg := devConfig(t)
		cfg.DataDir = dir
		bad := strings.Join(examined(t, cfg, false, "data_dir", app.FindingError), "\n")
		if want == "" && bad != "" || !strings.Contains(bad, want) {
			t.Errorf("data_dir %s: %q, want %q", dir, bad, want)
		}
	}
}

// TestDoctorMissesTheContents: a data folder whose folder of contents was moved away is a warning, which names the folder.
func TestDoctorMissesTheContents(t *testing.T) {
	cfg := devConfig(t)
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if bad := examined(t, cfg, false, "store", app.FindingWarning); len(bad) > 0 {
		t.Errorf("before: %q", bad)
	}
	contents := filepath.Join(cfg.DataDir, "content")
	if err := os.Rename(contents, filepath.Join(t.TempDir(), "away")); err != nil {
		t.Fatal(err)
	}
	if bad := examined(t, cfg, false, "store", app.FindingWarning); len(bad) != 1 || !strings.HasPrefix(bad[0], contents+" is missing") {
		t.Errorf("warnings %q, want the folder", bad)
	}
}
