package app

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/config"
)

// lookAgain is a handshake more than checkEvery after the last handshake.
func lookAgain(c *certificates) bool {
	c.mu.Lock()
	c.checked = time.Time{}
	c.mu.Unlock()
	_, reloaded := c.look()
	return reloaded
}

// Strangers can cause any number of handshakes: a broken file gets a single line in the log.
func TestBrokenCertificateIsLoggedOnce(t *testing.T) {
	one := sign(t, "h.example.test", true, nil)
	certFile, keyFile := write(t, one, one)
	var log bytes.Buffer
	c, err := newCertificates(certFile, keyFile, "h.example.test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(want int, after string) {
		t.Helper()
		if n := strings.Count(log.String(), "certificate not reloaded"); n != want {
			t.Errorf("after %s %d lines, want %d:\n%s", after, n, want, &log)
		}
	}
	replace := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(certFile, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(good[:len(good)/2])
	for range 5 {
		lookAgain(c)
	}
	lines(1, "five handshakes with a half file")
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		lookAgain(c)
	}
	lines(2, "five more without the file")
	c.reload()
	lines(3, "a reload that was asked for")
	two := sign(t, "other.example.test", true, nil)
	otherCert, otherKey := write(t, two, two)
	for from, to := range map[string]string{otherCert: certFile, otherKey: keyFile} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if !lookAgain(c) {
		t.Errorf("the new files were not read:\n%s", &log)
	}
	replace(nil)
	lookAgain(c)
	lines(4, "the next mistake")
}

// A renewed certificate is served although its files have the times and sizes of the old ones: at the next handshake if the
// files are new ones, and with a reload if the old files were written again.
func TestCertificateOfEqualTimeAndSize(t *testing.T) {
	type files struct{ cert, key []byte }
	made := func() files {
		t.Helper()
		m, err := makeCertificate("h.example.test", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return files{append(m.leaf, m.authority...), m.key}
	}
	dir, at := t.TempDir(), time.Unix(1, 0)
	put := func(f files, to string) {
		t.Helper()
		for name, data := range map[string][]byte{"cert.pem": f.cert, "key.pem": f.key} {
			name = filepath.Join(dir, name)
			if err := errors.Join(os.WriteFile(name+to, data, 0o600), os.Chtimes(name+to, at, at), os.Rename(name+to, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := made()
	put(old, ".new")
	c, err := newCertificates(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), "h.example.test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	for how, to := range map[string]string{"renamed": ".new", "written again": ""} {
		next := made()
		for len(next.cert) != len(old.cert) || len(next.key) != len(old.key) {
			next = made()
		}
		put(next, to)
		if to == "" {
			c.reload()
		} else if !lookAgain(c) {
			t.Errorf("%s: the files were not read", how)
		}
		if leaf, _ := pem.Decode(next.cert); !bytes.Equal(c.current.Certificate[0], leaf.Bytes) {
			t.Errorf("%s: the old certificate is served", how)
		}
		if lookAgain(c) {
			t.Errorf("%s: unchanged files were read again", how)
		}
	}
}

// Some editors put a byte order mark before a text, and PEM readers then miss the first block.
func TestCertificateWithByteOrderMark(t *testing.T) {
	root := sign(t, "Root", true, nil)
	leaf := sign(t, "h.example.test", false, root)
	certFile, keyFile := write(t, leaf, leaf, root)
	for _, file := range []string{certFile, keyFile} {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, append([]byte("\uFEFF"), data...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cert, err := loadPair(certFile, keyFile)
	if err != nil || cert.Leaf.Subject.CommonName != "h.example.test" || len(cert.Certificate) != 2 {
		t.Errorf("%v, %d certificates", err, len(cert.Certificate))
	}
}

// A certificate is as good as the worst certificate behind it.
func TestJudgeIssuersOutOfTime(t *testing.T) {
	root := sign(t, "Root", true, nil)
	leaf := sign(t, "h.example.test", false, root)
	// The authority's certificate ends before the signed certificate.
	short := *root.cert
	short.NotAfter = time.Now().Add(24 * time.Hour)
	var err error
	if root.der, err = x509.CreateCertificate(rand.Reader, &short, &short, &root.key.PublicKey, root.key); err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := write(t, leaf, leaf, root)
	cert, err := loadPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	texts := func(now time.Time) string {
		var all []string
		for _, f := range judgeCertificate(certFile, "h.example.test", &cert, now) {
			all = append(all, f.Level+": "+f.Text)
		}
		return strings.Join(all, "\n")
	}
	if now := texts(time.Now()); !strings.HasPrefix(now, "ok: ") {
		t.Errorf("now: %s", now)
	}
	if later := texts(time.Now().Add(48 * time.Hour)); !strings.HasPrefix(later, "warning: behind the certificate in "+certFile+` stands the certificate of "CN=Root`) {
		t.Errorf("in two days: %s", later)
	}
}

// The check before a start reports everything that keeps a server from starting, at once.
func TestCheckTellsWhatServeRefuses(t *testing.T) {
	cfg := config.Default()
	cfg.Hostname, cfg.DataDir = "h.example.test", filepath.Join(t.TempDir(), "data")
	cfg.Admin.Listen, cfg.Admin.TokenFile = []string{"127.0.0.1:0"}, filepath.Join(t.TempDir(), "token")
	expect := func(after string, want ...string) {
		t.Helper()
		err := Check(cfg)
		if len(want) == 0 && err != nil {
			t.Errorf("%s: %v", after, err)
		}
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", after, err, text)
			}
		}
	}
	expect("no token file", "admin.token_file", "no such file")
	if err := os.WriteFile(cfg.Admin.TokenFile, []byte("abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("a short token", "admin.token_file", "can be guessed")
	if err := os.WriteFile(cfg.Admin.TokenFile, []byte(strings.Repeat("a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("all is well")
	for file, mode := range map[string]os.FileMode{cfg.Admin.TokenFile: 0o644, cfg.DataDir: 0o777} {
		if file == cfg.DataDir {
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Hostname = "-bad"
	cfg.TLS.Certificate, cfg.TLS.Key = filepath.Join(t.TempDir(), "none.pem"), "none.key"
	expect("four mistakes", "chmod 600", "chmod 700", "hostname", "none.pem")
}
