package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/mailtest"
)

// signed is a certificate with its private key.
type signed struct {
	der  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// sign makes a certificate; with a nil issuer the certificate signs itself.
func sign(t *testing.T, name string, ca bool, issuer *signed) *signed {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template, err := certificateTemplate(name, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	template.Subject.Organization = nil
	template.IsCA, template.BasicConstraintsValid = ca, true
	if !ca {
		template.DNSNames = []string{name}
	}
	s := &signed{key: key}
	parent, parentKey := template, key
	if issuer != nil {
		parent, parentKey = issuer.cert, issuer.key
	}
	if s.der, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey); err != nil {
		t.Fatal(err)
	}
	if s.cert, err = x509.ParseCertificate(s.der); err != nil {
		t.Fatal(err)
	}
	return s
}

// write writes a chain, and the private key of one of its certificates, in PEM.
func write(t *testing.T, key *signed, chain ...*signed) (certFile, keyFile string) {
	t.Helper()
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.der})...)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key.key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	err = errors.Join(os.WriteFile(certFile, text, 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

func TestJudgeCertificate(t *testing.T) {
	root := sign(t, "Root", true, nil)
	between := sign(t, "Between", true, root)
	leaf := sign(t, "mx.example.test", false, between)
	alone := sign(t, "mx.example.test", false, nil)
	end, begin := leaf.cert.NotAfter, leaf.cert.NotBefore
	for name, test := range map[string]struct {
		chain []*signed
		host  string
		now   time.Time
		level string
		text  string
	}{
		"whole chain":          {[]*signed{leaf, between, root}, "", begin.Add(time.Hour), FindingOK, "holds until "},
		"chain without root":   {[]*signed{leaf, between}, "", begin.Add(time.Hour), FindingWarning, `"CN=Between" is signed by "CN=Root", which is neither`},
		"signed by itself":     {[]*signed{alone}, "", begin.Add(time.Hour), FindingOK, "holds until "},
		"just enough time":     {[]*signed{alone}, "", alone.cert.NotAfter.Add(-renewBefore), FindingOK, "holds until "},
		"ends soon":            {[]*signed{leaf, between, root}, "", end.Add(time.Second - renewBefore), FindingWarning, "holds until " + end.UTC().Format(time.DateTime)},
		"ended":                {[]*signed{leaf, between, root}, "", end, FindingError, "ended at " + end.UTC().Format(time.DateTime)},
		"not yet":              {[]*signed{leaf, between, root}, "", begin.Add(-time.Second), FindingError, "holds from " + begin.UTC().Format(time.DateTime)},
		"another name":         {[]*signed{leaf, between, root}, "mail.example.test", begin.Add(time.Hour), FindingWarning, "is not for the name mail.example.test"},
		"an address":           {[]*signed{leaf, between, root}, "[192.0.2.1]", begin.Add(time.Hour), FindingWarning, "is not for the name [192.0.2.1]"},
		"without intermediate": {[]*signed{leaf}, "", begin.Add(time.Hour), FindingWarning, `comes without an intermediate certificate: "CN=mx.example.test" is signed by "CN=Between`},
		"wrong order":          {[]*signed{leaf, root, between}, "", begin.Add(time.Hour), FindingWarning, `in the wrong order: "CN=mx.example.test" is signed by "CN=Between", and behind it stands "CN=Root`},
	} {
		t.Run(name, func(t *testing.T) {
			certFile, keyFile := write(t, test.chain[0], test.chain...)
			cert, err := loadPair(certFile, keyFile)
			if err != nil {
				t.Fatal(err)
			}
			if test.host == "" {
				test.host = "mx.example.test"
			}
			found := judgeCertificate(certFile, test.host, &cert, test.now)
			if len(found) != 1 || found[0].Level != test.level || !strings.Contains(found[0].Text, test.text) {
				t.Fatalf("%+v, want %s: %s", found, test.level, test.text)
			}
			if (found[0].Hint == "") != (test.level == FindingOK) {
				t.Errorf("the hint is %q", found[0].Hint)
			}
		})
	}
}

func TestUnusablePairs(t *testing.T) {
	root := sign(t, "Root", true, nil)
	leaf, other := sign(t, "mx.example.test", false, root), sign(t, "mx.example.test", false, root)
	certFile, keyFile := write(t, leaf, root, leaf)
	if _, err := loadPair(certFile, keyFile); !errors.Is(err, errOrder) {
		t.Errorf("authority first: %v", err)
	}
	certFile, keyFile = write(t, other, leaf, root)
	if _, err := loadPair(certFile, keyFile); err == nil || errors.Is(err, errOrder) || !strings.Contains(err.Error(), certFile) {
		t.Errorf("another key: %v", err)
	}
	for _, block := range []*pem.Block{
		{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")},
		{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")},
	} {
		if err := os.WriteFile(keyFile, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadPair(certFile, keyFile); !errors.Is(err, errKeyEncrypted) {
			t.Errorf("%s: %v", block.Type, err)
		}
	}
	if _, err := loadPair(certFile, keyFile+".not"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no key: %v", err)
	}
}

// TestCertificateIsJudged: at the start and when the files change.
func TestCertificateIsJudged(t *testing.T) {
	root := sign(t, "Root", true, nil)
	leaf := sign(t, "mx.example.test", false, root)
	certFile, keyFile := write(t, leaf, leaf, root)
	var log mailtest.Log
	c, err := newCertificates(certFile, keyFile, "mail.example.test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	c.start()
	c.close() // the loop reads the files once before it ends
	if !strings.Contains(log.String(), "level=WARN") || strings.Count(log.String(), "is not for the name mail.example.test") != 1 {
		t.Errorf("at the start: %s", log.String())
	}
	newCert, newKey := write(t, leaf, leaf)
	if err := errors.Join(os.Rename(newCert, certFile), os.Rename(newKey, keyFile)); err != nil {
		t.Fatal(err)
	}
	c.checked = time.Time{}
	if _, err := c.get(nil); err != nil {
		t.Fatal(err)
	}
	if strings.Count(log.String(), "is not for the name mail.example.test") != 2 || !strings.Contains(log.String(), "without an intermediate") {
		t.Errorf("after the change: %s", log.String())
	}
}

func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	leafOf := func(hostname string) *x509.Certificate {
		t.Helper()
		certFile, keyFile, err := selfSigned(dir, hostname, quiet())
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		authority, err := x509.ParseCertificate(pair.Certificate[1])
		if err != nil {
			t.Fatal(err)
		}
		if len(authority.SubjectKeyId) == 0 || string(pair.Leaf.AuthorityKeyId) != string(authority.SubjectKeyId) {
			t.Errorf("%s: the certificate names the key %x, its authority has %x", hostname, pair.Leaf.AuthorityKeyId, authority.SubjectKeyId)
		}
		return pair.Leaf
	}
	for _, hostname := range []string{"mx.example.test", "localhost", "[192.0.2.1]", "[IPv6:2001:db8::1]"} {
		leaf := leafOf(hostname)
		for _, name := range []string{hostname, "localhost", "[127.0.0.1]", "[IPv6:::1]"} {
			if err := verifyName(leaf, name); err != nil {
				t.Errorf("%s: %v", hostname, err)
			}
		}
		for _, name := range leaf.DNSNames {
			if strings.ContainsAny(name, "[]:") {
				t.Errorf("%s: the certificate has the name %s", hostname, name)
			}
		}
		if again := leafOf(hostname); again.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
			t.Errorf("%s: a second start made another certificate", hostname)
		}
	}

	// A pair from before the authority's key was named.
	old := sign(t, "mx.example.test", false, nil)
	if len(old.cert.AuthorityKeyId) != 0 {
		t.Fatal("the old certificate names a key")
	}
	certFile, keyFile := write(t, old, old)
	err := errors.Join(os.Rename(certFile, filepath.Join(dir, "tls-cert.pem")), os.Rename(keyFile, filepath.Join(dir, "tls-key.pem")))
	if err != nil {
		t.Fatal(err)
	}
	if leaf := leafOf("mx.example.test"); leaf.SerialNumber.Cmp(old.cert.SerialNumber) == 0 {
		t.Error("the old certificate is still in use")
	}
}

// TestSelfSignedCutShort: a start that stopped between the files of a new certificate does no harm to the next start. Files
// of others are never replaced.
func TestSelfSignedCutShort(t *testing.T) {
	files := []string{"tls-key.pem", "tls-ca.pem", "tls-cert.pem"}
	made := func() string {
		t.Helper()
		dir := t.TempDir()
		if _, _, err := selfSigned(dir, "mx.example.test", quiet()); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for _, replaced := range files {
		dir, other := made(), made()
		if err := os.Rename(filepath.Join(other, replaced), filepath.Join(dir, replaced)); err != nil {
			t.Fatal(err)
		}
		certFile, keyFile, err := selfSigned(dir, "mx.example.test", quiet())
		if err == nil {
			_, err = tls.LoadX509KeyPair(certFile, keyFile)
		}
		if err != nil {
			t.Errorf("after a new %s: %v", replaced, err)
		}
	}
	dir := made()
	foreign := sign(t, "mx.example.test", false, nil)
	certFile, _ := write(t, foreign, foreign)
	if err := os.Rename(certFile, filepath.Join(dir, "tls-cert.pem")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := selfSigned(dir, "mx.example.test", quiet()); err == nil {
		t.Error("the certificate of somebody else was replaced")
	}
}

// TestSelfSignedOnAFullDisk: a certificate that holds for some days more stays in use if no new one can be written.
func TestSelfSignedOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	old, err := makeCertificate("mx.example.test", now.AddDate(0, 0, -350))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"tls-cert.pem": append(old.leaf, old.authority...), "tls-key.pem": old.key} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made := map[string]int{}
	full := func(name string, data []byte, mode os.FileMode) (string, error) {
		if made[name]++; filepath.Base(name) == "tls-ca.pem" {
			return "", syscall.ENOSPC
		}
		return prepareFile(name, data, mode)
	}
	var log mailtest.Log
	certFile, keyFile, err := selfSignedWith(dir, "mx.example.test", slog.New(slog.NewTextHandler(&log, nil)), full)
	if err != nil || len(made) < 2 {
		t.Fatalf("%v, files begun: %v", err, made)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil || !pair.Leaf.NotAfter.Before(now.AddDate(0, 0, 16)) || !strings.Contains(log.String(), "no space") {
		t.Errorf("%v, the log: %s", err, log.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
	if _, _, err := selfSignedWith(dir, "other.example.test", quiet(), full); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a certificate for another name: %v", err)
	}
}

// TestSelfSignedIsRenewed: a server that runs for a year serves a new certificate before the first one ends.
func TestSelfSignedIsRenewed(t *testing.T) {
	dir := t.TempDir()
	old, err := makeCertificate("mx.example.test", time.Now().AddDate(0, 0, -340))
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := selfSignedFiles(dir)
	for name, data := range map[string][]byte{certFile: append(old.leaf, old.authority...), keyFile: old.key} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := newCertificates(certFile, keyFile, "mx.example.test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	c.renew = func() error {
		_, _, err := selfSigned(dir, "mx.example.test", quiet())
		return err
	}
	c.start()
	c.close() // the loop renews the files and reads them once before it ends
	if left := time.Until(c.end()); left < 360*24*time.Hour {
		t.Errorf("the certificate holds for %v", left)
	}
}

// TestTLSProfile: the server speaks nothing outside Mozilla's intermediate profile.
func TestTLSProfile(t *testing.T) {
	root := sign(t, "Root", true, nil)
	leaf := sign(t, "mx.example.test", false, root)
	certFile, keyFile := write(t, leaf, leaf, root)
	c, err := newCertificates(certFile, keyFile, "mx.example.test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c.tlsConfig())
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
			go conn.(*tls.Conn).Handshake()
		}
	}()
	try := func(change func(*tls.Config)) error {
		cfg := &tls.Config{InsecureSkipVerify: true}
		change(cfg)
		conn, err := tls.Dial("tcp", l.Addr().String(), cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	wanted := c.tlsConfig().CipherSuites
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		err := try(func(cfg *tls.Config) { cfg.MaxVersion, cfg.CipherSuites = tls.VersionTLS12, []uint16{suite.ID} })
		if good := slices.Contains(wanted, suite.ID) && strings.Contains(suite.Name, "ECDSA"); good != (err == nil) {
			t.Errorf("%s: %v", suite.Name, err)
		}
	}
	for _, group := range []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521} {
		err := try(func(cfg *tls.Config) { cfg.CurvePreferences = []tls.CurveID{group} })
		if good := group != tls.CurveP521; good != (err == nil) {
			t.Errorf("%v: %v", group, err)
		}
	}
	if try(func(cfg *tls.Config) { cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }) == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// TestDoctorSelfSigned: the doctor judges the certificate of an earlier start.
func TestDoctorSelfSigned(t *testing.T) {
	dir := t.TempDir()
	if found := examineSelfSigned(dir, time.Now()); len(found) != 0 {
		t.Errorf("before the first start: %v", found)
	}
	certFile, keyFile, err := selfSigned(dir, "mx.example.test", quiet())
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]string{1: FindingOK, 360: FindingWarning, 370: FindingError} {
		if found := examineSelfSigned(dir, time.Now().AddDate(0, 0, days)); len(found) != 1 || found[0].Level != want {
			t.Errorf("after %d days: %v, want %s", days, found, want)
		}
	}
	other := t.TempDir()
	if _, _, err := selfSigned(other, "mx.example.test", quiet()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(other, "tls-key.pem"), keyFile); err != nil {
		t.Fatal(err)
	}
	if found := examineSelfSigned(dir, time.Now()); len(found) != 1 || found[0].Level != FindingWarning {
		t.Errorf("with another key: %v", found)
	}
	if err := os.WriteFile(certFile, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := examineSelfSigned(dir, time.Now()); len(found) != 1 || found[0].Level != FindingError {
		t.Errorf("a damaged certificate: %v", found)
	}
}

// The doctor warns of RSA keys that mail programs refuse.
func TestJudgeShortKey(t *testing.T) {
	c := sign(t, "mx.example.test", false, nil)
	for bits, warned := range map[uint]bool{1024: true, 2047: true, 2048: false} {
		leaf := *c.cert
		leaf.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
		got := false
		for _, f := range judgeCertificate("tls.crt", "mx.example.test", &tls.Certificate{Certificate: [][]byte{c.der}, Leaf: &leaf}, time.Now()) {
			got = got || f.Level == FindingWarning && strings.Contains(f.Text, "RSA key of")
		}
		if got != warned {
			t.Errorf("%d bits: warned %t", bits, got)
		}
	}
}
