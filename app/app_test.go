package app_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/app"
	"popelago/config"
	"popelago/mail"
	"popelago/mailtest"
)

// devConfig returns the configuration of serve --dev on free ports and with cheap passwords.
func devConfig(t *testing.T) config.Config {
	cfg := config.Dev(filepath.Join(t.TempDir(), "data"))
	for _, listen := range []*[]string{&cfg.POP3.Listen, &cfg.POP3S.Listen, &cfg.SMTP.Listen, &cfg.LMTP.Listen, &cfg.Metrics.Listen} {
		*listen = []string{"127.0.0.1:0"}
	}
	cfg.Auth.Argon2Memory = 64
	cfg.Auth.Argon2Time = 1
	return cfg
}

func start(t *testing.T, cfg config.Config) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func addAlice(t *testing.T, a *app.App) {
	t.Helper()
	if _, err := a.Directory().AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Directory().AddAccount(t.Context(), mail.Address{Local: "alice", Domain: "example.test"}, "correct horse"); err != nil {
		t.Fatal(err)
	}
}

// beginText sends a message for alice by LMTP up to its text.
func beginText(t *testing.T, a *app.App) *mailtest.Client {
	t.Helper()
	c := mailtest.Dial(t, a.Addrs()["lmtp"][0].String())
	c.Expect("220")
	c.Cmd("LHLO test")
	for !strings.HasPrefix(c.Line(), "250 ") {
	}
	c.Do("MAIL FROM:<bob@example.org>", "250")
	c.Do("RCPT TO:<alice@example.test>", "250")
	c.Do("DATA", "354")
	return c
}

func deliver(t *testing.T, a *app.App, text string) {
	t.Helper()
	c := beginText(t, a)
	c.Send(text + ".\r\n")
	c.Expect("250")
	c.Do("QUIT", "221")
}

func TestMailGoesThroughAndSurvivesARestart(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	const text = "Subject: hello\r\n\r\n..stuffed\r\n"
	deliver(t, a, text)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	a = start(t, cfg)
	pool := x509.NewCertPool()
	authority := filepath.Join(cfg.DataDir, "tls-ca.pem")
	pem, err := os.ReadFile(authority)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("authority %s: %v", authority, err)
	}
	conn, err := tls.Dial("tcp", a.Addrs()["pop3s"][0].String(), &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c := mailtest.NewClient(t, conn)
	c.Expect("+OK")
	c.Cmd("CAPA")
	c.Expect("+OK")
	if capa := string(c.ReadMultiline()); !strings.Contains(capa, "\r\nIMPLEMENTATION Popelago\r\n") {
		t.Errorf("CAPA does not name the implementation: %q", capa)
	}
	c.Do("USER alice@example.test", "+OK")
	c.Do("PASS correct horse", "+OK")
	c.Do("STAT", "+OK 1 ")
	listed := c.Do("LIST 1", "+OK 1 ")
	c.Cmd("RETR 1")
	c.Expect("+OK")
	got := c.ReadMultiline()
	if !strings.HasSuffix(string(got), "\r\nSubject: hello\r\n\r\n.stuffed\r\n") {
		t.Errorf("RETR gave %q", got)
	}
	if want := fmt.Sprintf("+OK 1 %d", len(got)); listed != want {
		t.Errorf("LIST said %q, RETR sent %d octets", listed, len(got))
	}
	c.Do("DELE 1", "+OK")
	c.Do("QUIT", "+OK")
	c.ExpectEOF()
}

func TestAdminSocketAndMetrics(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	info, err := os.Stat(cfg.AdminSocket())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("admin socket has mode %v, want 0600", info.Mode().Perm())
	}
	domains, err := adminclient.Unix(cfg.AdminSocket()).Domains(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(domains) != 1 || domains[0].Name != "example.test" {
		t.Errorf("domains: %+v", domains)
	}
	mailtest.Dial(t, a.Addrs()["pop3"][0].String()).Expect("+OK")
	resp, err := http.Get("http://" + a.Addrs()["metrics"][0].String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body strings.Builder
	if err := resp.Write(&body); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"popelago_wire_connections_total", "popelago_task_runs_total", "go_goroutines"} {
		if !strings.Contains(body.String(), name) {
			t.Errorf("metrics lack %s", name)
		}
	}
}

func TestTakenAddressStopsTheStartWhole(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := devConfig(t)
	cfg.LMTP.Listen = []string{l.Addr().String()}
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(t.Context())
	err = a.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "lmtp cannot listen on "+l.Addr().String()) {
		t.Fatalf("Start returned %v", err)
	}
}

func TestSecondServerOnOneFolder(t *testing.T) {
	cfg := devConfig(t)
	start(t, cfg)
	_, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), cfg.DataDir) {
		t.Fatalf("a second server on %s got %v", cfg.DataDir, err)
	}
}

func TestStopTellsIdleSessionsAndWaitsForDeliveries(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	idle := mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	idle.Expect("+OK")
	busy := beginText(t, a)
	busy.Send("Subject: half\r\n")

	stopped := make(chan error, 1)
	go func() { stopped <- a.Stop(context.Background()) }()
	idle.Expect("-ERR [SYS/TEMP]")
	idle.ExpectEOF()
	busy.Send("\r\nwhole\r\n.\r\n")
	busy.Expect("250")
	busy.Expect("421")
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	a = start(t, cfg)
	c := mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	c.Expect("+OK")
	c.Do("USER alice@example.test", "+OK")
	c.Do("PASS correct horse", "+OK")
	c.Do("STAT", "+OK 1 ")
}

func TestStopByForce(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	busy := beginText(t, a)
	busy.Send("Subject: never ends\r\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop returned %v", err)
	}
	busy.ExpectEOF()
}

func TestCertificateIsReloaded(t *testing.T) {
	dir := t.TempDir()
	cfg := devConfig(t)
	cfg.TLS = config.TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), HandshakeTimeout: time.Minute}
	install := func() *mailtest.TLS {
		c := mailtest.Certificate(t)
		copyFile(t, c.CertFile, cfg.TLS.Certificate)
		copyFile(t, c.KeyFile, cfg.TLS.Key)
		return c
	}
	first := install()
	a := start(t, cfg)
	handshake := func(c *mailtest.TLS) error {
		conn, err := tls.Dial("tcp", a.Addrs()["pop3s"][0].String(), c.Client)
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := handshake(first); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.TLS.Key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := handshake(first); err != nil {
		t.Errorf("with a damaged key file the old certificate should stay in use: %v", err)
	}
	second := install()
	mailtest.WaitFor(t, 10*time.Minute, func() error { return handshake(second) })
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSelfSignedCertificateIsKeptAndRenewed(t *testing.T) {
	cfg := devConfig(t)
	certificate := func(hostname string) string {
		cfg.Hostname = hostname
		a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer a.Stop(t.Context())
		pem, err := os.ReadFile(a.CertificateFile())
		if err != nil {
			t.Fatal(err)
		}
		return string(pem)
	}
	first := certificate("mail.example.test")
	if again := certificate("mail.example.test"); again != first {
		t.Error("a second start made another certificate")
	}
	if other := certificate("mx.example.test"); other == first {
		t.Error("the certificate of another host name is still in use")
	}
	if err := os.WriteFile(filepath.Join(cfg.DataDir, "tls-key.pem"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "to have it made anew") {
		t.Errorf("with a damaged key New returned %v", err)
	}
}

func TestLongSocketPath(t *testing.T) {
	cfg := devConfig(t)
	cfg.DataDir = filepath.Join(cfg.DataDir, strings.Repeat("long/", 20))
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(t.Context())
	err = a.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the path of a socket may have 107 octets at most") {
		t.Errorf("Start returned %v", err)
	}
}
