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
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
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
// The private key of the authority is dropped, so the authority signs no other certificate. If no new certificate
// can be written, a certificate that still holds stays in use.
func selfSigned(dir, hostname string, logger *slog.Logger) (certFile, keyFile string, err error) {
	return selfSignedWith(dir, hostname, logger, prepareFile)
}

// selfSignedWith is selfSigned with another prepareFile.
func selfSignedWith(dir, hostname string, logger *slog.Logger, prepare prepareFunc) (certFile, keyFile string, err error) {
	certFile, keyFile = selfSignedFiles(dir)
	old, err := tls.LoadX509KeyPair(certFile, keyFile)
	now := time.Now()
	switch {
	case err == nil && usable(old.Leaf, hostname, now):
		return certFile, keyFile, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !cutShort(certFile, keyFile):
		return "", "", unreadable(dir, err)
	}
	holds := err == nil && verifyName(old.Leaf, hostname) == nil && !outOfTime(old.Leaf, now)
	err = writeCertificate(dir, hostname, now, prepare)
	if err != nil && holds {
		logger.Warn("the self-signed certificate could not be made anew, and stays in use", "file", certFile, "until", utc(old.Leaf.NotAfter), "cause", err)
		err = nil
	}
	if err != nil {
		return "", "", err
	}
	return certFile, keyFile, nil
}

// selfSignedFiles returns the names of the files of a self-signed certificate.
func selfSignedFiles(dir string) (certFile, keyFile string) {
	return filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
}

// unreadable is the error for a certificate that is not replaced: somebody may have put it there.
func unreadable(dir string, cause error) error {
	return fmt.Errorf("self-signed certificate in %s cannot be read; remove tls-cert.pem and tls-key.pem to have it made anew: %w", dir, cause)
}

// cutShort reports whether a start has stopped between the files of a new certificate: the certificate was made here, and
// belongs to another key.
func cutShort(certFile, keyFile string) bool {
	chain, err := os.ReadFile(certFile)
	if err != nil {
		return false
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return false
	}
	certBlock, _ := pem.Decode(chain)
	keyBlock, _ := pem.Decode(key)
	if certBlock == nil || keyBlock == nil {
		return false
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil || !slices.Contains(cert.Subject.Organization, organization) {
		return false
	}
	_, err = x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	return err == nil
}

// writeCertificate makes a certificate and writes its files: all of them, or none if they find no room.
func writeCertificate(dir, hostname string, now time.Time, prepare prepareFunc) error {
	made, err := makeCertificate(hostname, now)
	if err != nil {
		return err
	}
	files := []struct {
		name string
		data []byte
	}{{"tls-key.pem", made.key}, {"tls-ca.pem", made.authority}, {"tls-cert.pem", append(made.leaf, made.authority...)}}
	prepared := make([]string, len(files))
	for i, f := range files {
		if prepared[i], err = prepare(filepath.Join(dir, f.name), f.data, 0o600); err != nil {
			return err
		}
		defer os.Remove(prepared[i]) // gone once renamed
	}
	for i, f := range files {
		if err := os.Rename(prepared[i], filepath.Join(dir, f.name)); err != nil {
			return err
		}
	}
	return nil
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
func makeCertificate(hostname string, now time.Time) (madeCertificate, error) {
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
	ca, err := certificateTemplate("Authority of "+common, x509.KeyUsageCertSign, now)
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
	leaf, err := certificateTemplate(common, x509.KeyUsageDigitalSignature, now)
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

// organization is in the subject of the certificates that are made here.
const organization = "Popelago self-signed"

// certificateTemplate returns the common part of both certificates, which hold for a year.
func certificateTemplate(name string, usage x509.KeyUsage, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{organization}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     usage,
	}, err
}

// prepareFunc is the type of prepareFile.
type prepareFunc func(name string, data []byte, mode os.FileMode) (prepared string, err error)

// prepareFile writes a file under a name of its own, beside the name that the file will get.
func prepareFile(name string, data []byte, mode os.FileMode) (prepared string, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.tmp")
	if err != nil {
		return "", err
	}
	if err := errors.Join(f.Chmod(mode), writeAll(f, data), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func writeAll(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync())
}
