package servertest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"popelago/mailtest"
)

// authority is the certificate authority of one test. Mozilla's programs refuse a server
// certificate that is its own authority, so authority and server certificate are separate.
type authority struct {
	File string // PEM, to be trusted
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// validFor is the validity of the certificates.
const validFor = 90 * 24 * time.Hour

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{File: filepath.Join(PublicDir(t), "ca.pem"), pool: x509.NewCertPool(), key: mailtest.NewKey(t)}
	template := mailtest.CertificateTemplate(t, "Popelago test authority", validFor)
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	mailtest.WriteCertificate(t, a.File, der)
	return a
}

// Issue writes a certificate for localhost and its key, each file replaced whole.
func (a *authority) Issue(t testing.TB, certFile, keyFile, organization string) {
	t.Helper()
	key := mailtest.NewKey(t)
	template := mailtest.LocalhostTemplate(t, validFor)
	template.Subject.Organization = []string{organization}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	mailtest.WriteKey(t, keyFile, key)
	mailtest.WriteCertificate(t, certFile, der)
}

// Client trusts the authority.
func (a *authority) Client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, ServerName: "localhost"}
}
