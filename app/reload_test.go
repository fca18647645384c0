package app_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"popelago/app"
	"popelago/config"
	"popelago/mailtest"
)

// reloadable starts a server. A reload takes the configuration from load. Penalties count for local
// clients, too.
func reloadable(t *testing.T, cfg config.Config, load func() (config.Config, error)) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler), app.WithReload(load), app.WithLocalCounted())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

// setting returns a setting in force.
func setting(t *testing.T, a *app.App, key string) string {
	t.Helper()
	for _, s := range a.Settings() {
		if s.Key == key {
			return s.Value
		}
	}
	t.Fatalf("no setting %s", key)
	return ""
}

// guesses sends n wrong passwords simultaneously, and counts the logins refused by a penalty.
func guesses(t *testing.T, a *app.App, n int) (refused int64) {
	t.Helper()
	var count atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			c := mailtest.Dial(t, a.Addrs()["pop3"][0].String())
			c.Expect("+OK")
			c.Do("USER alice@example.test", "+OK")
			switch reply := c.Do(fmt.Sprintf("PASS wrong %d", i), "-ERR "); {
			case strings.HasPrefix(reply, "-ERR [SYS/TEMP] "):
				count.Add(1)
			case !strings.HasPrefix(reply, "-ERR [AUTH] "):
				t.Errorf("a wrong password: %s", reply)
			}
		})
	}
	all.Wait()
	return count.Load()
}

// A reload puts a new certificate and new penalties into force while sessions go on. A reload with a
// mistake in a setting leaves every setting alone.
func TestReloadOfCertificateAndPenalties(t *testing.T) {
	first, second := mailtest.Certificate(t), mailtest.Certificate(t)
	cfg := devConfig(t)
	cfg.TLS = config.TLS{Certificate: first.CertFile, Key: first.KeyFile, HandshakeTimeout: time.Minute}
	cfg.Auth.PenaltyAfter = -1
	next := cfg.Clone()
	a := reloadable(t, cfg, func() (config.Config, error) { return next.Clone(), nil })
	addAlice(t, a)
	handshake := func(c *mailtest.TLS) error {
		conn, err := tls.Dial("tcp", a.Addrs()["pop3s"][0].String(), c.Client)
		if err == nil {
			conn.Close()
		}
		return err
	}
	before, err := tls.Dial("tcp", a.Addrs()["pop3s"][0].String(), first.Client)
	if err != nil {
		t.Fatal(err)
	}
	session := mailtest.NewClient(t, before)
	session.Expect("+OK")
	session.Do("USER alice@example.test", "+OK")
	session.Do("PASS correct horse", "+OK")
	const many = 12
	if n := guesses(t, a, many); n != 0 {
		t.Errorf("%d logins were refused without penalties", n)
	}

	next.TLS.Certificate, next.TLS.Key = second.CertFile, filepath.Join(t.TempDir(), "missing")
	next.Auth.PenaltyAfter = 1
	if r, err := a.Reload(t.Context()); err == nil {
		t.Errorf("a reload with a missing file: %+v", r)
	}
	if err := handshake(first); err != nil {
		t.Errorf("after a mistake: %v", err)
	}
	if n := guesses(t, a, many); n != 0 {
		t.Errorf("%d logins were refused after a mistake", n)
	}

	next.TLS.Key = second.KeyFile
	r, err := a.Reload(t.Context())
	if err != nil || len(r.Restart) != 0 || strings.Join(r.Applied, " ") != "tls.certificate tls.key auth.penalty_after" {
		t.Errorf("Reload: %+v, %v", r, err)
	}
	if err := handshake(second); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if handshake(first) == nil {
		t.Error("the former certificate is still served")
	}
	guesses(t, a, 2) // both fail before the others come
	if n := guesses(t, a, many); n == 0 {
		t.Errorf("none of %d guesses was refused: the penalties are not in force", many)
	}
	session.Do("NOOP", "+OK")
	session.Do("QUIT", "+OK")

	next.TLS.Certificate, next.TLS.Key, next.TLS.SelfSigned = "", "", true
	r, err = a.Reload(t.Context())
	if err != nil || len(r.Applied) != 0 || strings.Join(r.Restart, " ") != "tls.certificate tls.key tls.self_signed" {
		t.Errorf("a reload without certificate files: %+v, %v", r, err)
	}
	if got := setting(t, a, "tls.certificate"); got != fmt.Sprintf("%q", second.CertFile) {
		t.Errorf("the certificate %q is shown, %q is served", got, second.CertFile)
	}
	if err := handshake(second); err != nil {
		t.Errorf("after the certificate files were taken out: %v", err)
	}
}

// Simultaneous reloads take turns: the settings in force always come from a single reading of the file, and
// in the end from the last reading.
func TestReloadsAtOnce(t *testing.T) {
	cfg := devConfig(t)
	var reads, reading atomic.Int64
	load := func() (config.Config, error) {
		if reading.Add(1) > 1 {
			t.Error("the file is read by two reloads at once")
		}
		defer reading.Add(-1)
		for range 1000 {
			runtime.Gosched() // time for another reload
		}
		n := int(reads.Add(1))
		next := cfg.Clone()
		next.POP3.MaxConns, next.SMTP.MaxConns, next.LMTP.MaxConns = 1000+n, 1000+n, 1000+n
		return next, nil
	}
	a := reloadable(t, cfg, load)
	if _, err := a.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	const reloads, watchers = 20, 2
	var all, watching sync.WaitGroup
	done := make(chan struct{})
	for range watchers {
		watching.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				values := map[string]bool{}
				for _, s := range a.Settings() {
					switch s.Key {
					case "pop3.max_connections", "smtp.max_connections", "lmtp.max_connections":
						values[s.Value] = true
					}
				}
				if len(values) != 1 {
					t.Errorf("settings of several readings are in force: %v", values)
					return
				}
			}
		})
	}
	var applied atomic.Int64
	for range reloads {
		all.Go(func() {
			r, err := a.Reload(t.Context())
			if err != nil || len(r.Restart) != 0 {
				t.Errorf("Reload: %+v, %v", r, err)
			}
			applied.Add(int64(len(r.Applied)))
		})
	}
	all.Wait()
	close(done)
	watching.Wait()
	if n := applied.Load(); n != 3*reloads {
		t.Errorf("%d changes of settings are reported, want %d", n, 3*reloads)
	}
	if got, want := setting(t, a, "smtp.max_connections"), fmt.Sprint(1000+reads.Load()); got != want || reads.Load() != reloads+1 {
		t.Errorf("%s connections are in force after %d readings, want %s", got, reads.Load(), want)
	}
}
