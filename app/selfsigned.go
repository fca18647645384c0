package app

import (
	"cmp"
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
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"popelago/mail"
)

// selfSigned makes a certificate in dir for hostname (a name, or an address literal), localhost and the
// loopback addresses, unless dir has a usable certificate already, and returns the names of the files:
//
//	tls-cert.pem  the certificate, and then the certificate of the authority
//	tls-key.pem   its private key
//	tls-ca.pem    the authority alone, for programs that shall trust the authority
//
// The private key of the authority is dropped, so the authority signs no other certificate.
func selfSigned(dir, hostname string) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	old, err := tls.LoadX509KeyPair(certFile, keyFile)
	switch {
	case err == nil && usable(old.Leaf, hostname, time.Now()):
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

// usable reports whether an existing self-signed certificate can stay: the certificate is for hostname,
// holds for at least a month, and names the key of its authority, which strict verifiers need (RFC 5280
// section 4.2.1.1).
func usable(leaf *x509.Certificate, hostname string, now time.Time) bool {
	return verifyName(leaf, hostname) == nil && leaf.NotAfter.Sub(now) > 30*24*time.Hour && !now.Before(leaf.NotBefore) &&
		len(leaf.AuthorityKeyId) > 0
}

// madeCertificate is a new certificate in PEM.
type madeCertificate struct{ leaf, authority, key []byte }

// makeCertificate makes an authority and a server certificate signed by the authority: mail programs
// with Mozilla's library refuse a server certificate that is its own authority.
func makeCertificate(hostname string) (madeCertificate, error) {
	names := []string{"localhost"}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	common := cmp.Or(hostname, "localhost")
	if ip, ok := mail.LiteralAddress(hostname); ok {
		addresses = append(addresses, ip.AsSlice())
	} else if common != "localhost" {
		names = append([]string{hostname}, names...)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return madeCertificate{}, err
	}
	ca, err := certificateTemplate("Authority of "+common, x509.KeyUsageCertSign)
	if err != nil {
		return madeCertificate{}, err
	}
	ca.IsCA, ca.BasicConstraintsValid, ca.MaxPathLenZero = true, true, true
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return madeCertificate{}, err
	}
	// The parsed authority has a key id, which the certificate then names.
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return madeCertificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return madeCertificate{}, err
	}
	leaf, err := certificateTemplate(common, x509.KeyUsageDigitalSignature)
	if err != nil {
		return madeCertificate{}, err
	}
	leaf.DNSNames = names
	leaf.IPAddresses = addresses
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

// certificateTemplate returns the common part of both certificates, which hold for a year.
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
