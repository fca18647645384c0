package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// certificates serves a certificate from two PEM files and reads them again when they change.
// A change that cannot be read is logged, and the certificate before it stays in use.
type certificates struct {
	certFile, keyFile string
	logger            *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    stamp
	checked time.Time
}

// stamp tells one state of the two files from another.
type stamp struct {
	certTime, keyTime time.Time
	certSize, keySize int64
}

// checkEvery is how often a handshake looks whether the files have changed.
const checkEvery = time.Second

// newCertificates loads the files once, so that a mistake is found at start.
func newCertificates(certFile, keyFile string, logger *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, logger: logger}
	seen, err := c.stamp()
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("tls.certificate %s with tls.key %s: %w", certFile, keyFile, err)
	}
	c.current, c.seen, c.checked = &cert, seen, time.Now()
	return c, nil
}

func (c *certificates) stamp() (stamp, error) {
	ci, err := os.Stat(c.certFile)
	if err != nil {
		return stamp{}, fmt.Errorf("tls.certificate: %w", err)
	}
	ki, err := os.Stat(c.keyFile)
	if err != nil {
		return stamp{}, fmt.Errorf("tls.key: %w", err)
	}
	return stamp{ci.ModTime(), ki.ModTime(), ci.Size(), ki.Size()}, nil
}

// get is tls.Config.GetCertificate.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < checkEvery {
		return c.current, nil
	}
	c.checked = time.Now()
	seen, err := c.stamp()
	if err == nil && seen == c.seen {
		return c.current, nil
	}
	if err == nil {
		var cert tls.Certificate
		if cert, err = tls.LoadX509KeyPair(c.certFile, c.keyFile); err == nil {
			c.current, c.seen = &cert, seen
			c.logger.Info("certificate reloaded", "file", c.certFile)
			return c.current, nil
		}
	}
	// Half-written files are the usual cause: look again at the next handshake.
	c.logger.Error("certificate not reloaded, the one before stays in use", "file", c.certFile, "cause", err)
	return c.current, nil
}

// tlsConfig is the server side of TLS for all protocols: TLS 1.2 and later (RFC 8996, RFC
// 8314 section 4.1).
func (c *certificates) tlsConfig() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
}

// selfSigned makes a certificate for hostname, localhost and the loopback addresses in dir,
// unless there is one already that still holds for a month, and returns the names of its
// files:
//
//	tls-cert.pem  the certificate, and behind it that of the authority that signed it
//	tls-key.pem   its private key
//	tls-ca.pem    the authority alone, for programs that are to trust it
//
// The authority's private key is forgotten, so it never signs anything else.
func selfSigned(dir, hostname string) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	old, err := tls.LoadX509KeyPair(certFile, keyFile)
	switch {
	case err == nil && old.Leaf.VerifyHostname(hostname) == nil && time.Until(old.Leaf.NotAfter) > 30*24*time.Hour:
		return certFile, keyFile, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", "", fmt.Errorf("self-signed certificate in %s cannot be read; remove tls-cert.pem and tls-key.pem to have it made anew: %w", dir, err)
	}
	made, err := makeCertificate(hostname)
	if err != nil {
		return "", "", err
	}
	for _, f := range []struct {
		name string
		data []byte
		mode os.FileMode
	}{
		{keyFile, made.key, 0o600},
		{filepath.Join(dir, "tls-ca.pem"), made.authority, 0o600},
		{certFile, append(made.leaf, made.authority...), 0o600},
	} {
		if err := writeFile(f.name, f.data, f.mode); err != nil {
			return "", "", err
		}
	}
	return certFile, keyFile, nil
}

// madeCertificate is a new certificate in PEM.
type madeCertificate struct{ leaf, authority, key []byte }

// makeCertificate makes an authority and a server certificate signed by it: mail programs that
// use Mozilla's library refuse a server certificate that is its own authority.
func makeCertificate(hostname string) (madeCertificate, error) {
	names := []string{"localhost"}
	if hostname != "" && hostname != "localhost" {
		names = append([]string{hostname}, names...)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return madeCertificate{}, err
	}
	ca, err := certificateTemplate("Authority of "+names[0], x509.KeyUsageCertSign)
	if err != nil {
		return madeCertificate{}, err
	}
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero = true, true, true
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return madeCertificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return madeCertificate{}, err
	}
	leaf, err := certificateTemplate(names[0], x509.KeyUsageDigitalSignature)
	if err != nil {
		return madeCertificate{}, err
	}
	leaf.DNSNames = names
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return madeCertificate{}, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return madeCertificate{}, err
	}
	return madeCertificate{
		leaf:      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
		authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}),
		key:       pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}

// certificateTemplate is what both certificates have in common. They hold for a year.
func certificateTemplate(name string, usage x509.KeyUsage) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Popelago self-signed"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     usage,
	}, err
}

// writeFile writes a file whole or not at all.
func writeFile(name string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(f.Chmod(mode), writeAll(f, data), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func writeAll(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync())
}
