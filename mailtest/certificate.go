package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS holds a self-signed certificate for localhost, mail.example.test, 127.0.0.1 and ::1, in the
// forms that tests need.
type TLS struct {
	// Server presents the certificate.
	Server *tls.Config
	// Client trusts the certificate, and expects localhost.
	Client *tls.Config
	// CertFile and KeyFile are PEM files, in a folder of the test's own. CertFile is also the
	// authority to trust.
	CertFile, KeyFile string
}

// Certificate makes a certificate valid for a day.
func Certificate(t testing.TB) *TLS {
	t.Helper()
	key := NewKey(t)
	template := LocalhostTemplate(t, 24*time.Hour)
	template.DNSNames = append(template.DNSNames, "mail.example.test")
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := &TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	WriteCertificate(t, c.CertFile, der)
	WriteKey(t, c.KeyFile, key)

	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	c.Server = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
		MinVersion:   tls.VersionTLS12,
	}
	c.Client = &tls.Config{RootCAs: roots, ServerName: "localhost"}
	return c
}

// NewKey makes the key of a certificate.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// CertificateTemplate makes a certificate to be filled in, without host and use. valid is the validity
// from now.
func CertificateTemplate(t testing.TB, name string, valid time.Duration) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(valid),
		BasicConstraintsValid: true,
	}
}

// LocalhostTemplate makes a CertificateTemplate for servers on localhost, 127.0.0.1 and ::1.
func LocalhostTemplate(t testing.TB, valid time.Duration) *x509.Certificate {
	t.Helper()
	c := CertificateTemplate(t, "localhost", valid)
	c.DNSNames = []string{"localhost"}
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return c
}

// WriteCertificate writes a certificate to a PEM file, and replaces the file atomically.
func WriteCertificate(t testing.TB, name string, der []byte) {
	t.Helper()
	replacePEM(t, name, "CERTIFICATE", der, 0o644)
}

// WriteKey writes a key to a PEM file, and replaces the file atomically.
func WriteKey(t testing.TB, name string, key *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	replacePEM(t, name, "PRIVATE KEY", der, 0o600)
}

func replacePEM(t testing.TB, name, kind string, der []byte, mode os.FileMode) {
	t.Helper()
	tmp := name + ".tmp"
	if err := os.WriteFile(tmp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, name); err != nil {
		t.Fatal(err)
	}
}
