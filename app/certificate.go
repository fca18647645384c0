package app

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// certificates serves a certificate from two PEM files, and reads changed files again. If the changed
// files cannot be read, certificates logs the error and keeps the certificate in use.
type certificates struct {
	certFile, keyFile string
	// hostname is the name that clients expect in the certificate.
	hostname string
	logger   *slog.Logger
	// renew writes the files anew if they will end soon; nil: somebody else does.
	renew func() error

	mu      sync.Mutex
	current *tls.Certificate
	seen    stamp
	checked time.Time
	// failed is the last error of reading the files; empty after a success.
	failed string

	done chan struct{} // ends the loop; nil before start
	loop sync.WaitGroup
}

// stamp identifies a state of the two files. The zero stamp is like no other.
type stamp struct{ cert, key fs.FileInfo }

// same reports whether two stamps are equal. Times and sizes do not suffice: some systems give all files one time, and renewed
// certificates often have the size of the old ones.
func (s stamp) same(other stamp) bool {
	return sameFile(s.cert, other.cert) && sameFile(s.key, other.key)
}

func sameFile(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// checkEvery is the interval at which handshakes look for changed files.
const checkEvery = time.Second

// newCertificates reads the files once, so that mistakes appear at start.
func newCertificates(certFile, keyFile, hostname string, logger *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, hostname: hostname, logger: logger}
	seen, err := c.stamp()
	if err != nil {
		return nil, err
	}
	cert, err := loadPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.current, c.seen, c.checked = &cert, seen, time.Now()
	return c, nil
}

// errKeyEncrypted: a private key needs a passphrase.
var errKeyEncrypted = errors.New("the private key is encrypted, and nobody is there to type its passphrase: decrypt it (openssl pkey -in FILE -out FILE)")

// errOrder: the first certificate of a file is not the server's.
var errOrder = errors.New("the private key belongs to a certificate further down in the file: the server's certificate must be the first, then the one that signed it, and so on")

// loadPair reads a certificate with its chain and its private key.
func loadPair(certFile, keyFile string) (tls.Certificate, error) {
	fail := func(err error) (tls.Certificate, error) {
		return tls.Certificate{}, fmt.Errorf("tls.certificate %s with tls.key %s: %w", certFile, keyFile, err)
	}
	chain, err := readPEM(certFile)
	if err != nil {
		return fail(err)
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return fail(err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	switch {
	case err == nil:
		return cert, nil
	case keyEncrypted(key):
		return fail(errKeyEncrypted)
	case keyFitsBehindFirst(chain, key):
		return fail(errOrder)
	}
	return fail(err)
}

// readPEM reads a PEM file without the byte order mark of some editors, which would hide the first
// block.
func readPEM(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	return bytes.TrimPrefix(data, []byte("\uFEFF")), err
}

func keyEncrypted(key []byte) bool {
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasPrefix(block.Type, "ENCRYPTED ") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}

// keyFitsBehindFirst reports whether the key belongs to a certificate that is not the first.
func keyFitsBehindFirst(chain, key []byte) bool {
	_, chain = pem.Decode(chain)
	for len(bytes.TrimSpace(chain)) > 0 {
		if _, err := tls.X509KeyPair(chain, key); err == nil {
			return true
		}
		var block *pem.Block
		if block, chain = pem.Decode(chain); block == nil {
			return false
		}
	}
	return false
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
	return stamp{ci, ki}, nil
}

// get implements tls.Config.GetCertificate.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	cert, reloaded := c.look()
	if reloaded {
		c.judge(cert)
	}
	return cert, nil
}

// look returns the certificate in use, and whether look has just read the files again.
func (c *certificates) look() (cert *tls.Certificate, reloaded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < checkEvery {
		return c.current, false
	}
	c.checked = time.Now()
	seen, err := c.stamp()
	if err == nil && seen.same(c.seen) {
		c.failed = ""
		return c.current, false
	}
	if err == nil {
		var cert tls.Certificate
		if cert, err = loadPair(c.certFile, c.keyFile); err == nil {
			known := slices.EqualFunc(cert.Certificate, c.current.Certificate, bytes.Equal)
			c.current, c.seen, c.failed = &cert, seen, ""
			if known {
				return c.current, false
			}
			c.logger.Info("certificate reloaded", "file", c.certFile)
			return c.current, true
		}
	}
	// Half-written files are the usual cause: the next handshake looks again. Strangers can cause any
	// number of handshakes, so the same mistake is logged once, and then by the loop.
	if c.failed != err.Error() {
		c.failed = err.Error()
		c.logger.Error("certificate not reloaded, the certificate in use stays", "file", c.certFile, "cause", err)
	}
	return c.current, false
}

// reload reads the files at once, also if they seem unchanged, and logs problems with them even if logged before.
func (c *certificates) reload() {
	c.mu.Lock()
	c.checked, c.seen, c.failed = time.Time{}, stamp{}, ""
	c.mu.Unlock()
	cert, _ := c.look()
	c.judge(cert)
}

// swap takes the certificate from other files. An error leaves the certificate in use.
func (c *certificates) swap(certFile, keyFile string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.certFile == certFile && c.keyFile == keyFile {
		return nil
	}
	other := certificates{certFile: certFile, keyFile: keyFile}
	seen, err := other.stamp()
	if err != nil {
		return err
	}
	cert, err := loadPair(certFile, keyFile)
	if err != nil {
		return err
	}
	c.certFile, c.keyFile, c.current, c.seen, c.checked, c.failed = certFile, keyFile, &cert, seen, time.Now(), ""
	c.logger.Info("certificate reloaded", "file", certFile)
	return nil
}

// file returns the PEM file of the certificate in use.
func (c *certificates) file() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.certFile
}

// judge logs the problems that mail programs may have with a certificate.
func (c *certificates) judge(cert *tls.Certificate) {
	for _, f := range judgeCertificate(c.file(), c.hostname, cert, time.Now()) {
		logFinding(c.logger, f)
	}
}

// judgeEvery is the interval at which the loop judges the certificate again.
const judgeEvery = 24 * time.Hour

// start begins to renew the files, and to read them again, once a day. close must follow.
func (c *certificates) start() {
	c.done = make(chan struct{})
	c.loop.Go(func() {
		again := time.NewTicker(judgeEvery)
		defer again.Stop()
		for {
			if c.renew != nil {
				if err := c.renew(); err != nil {
					c.logger.Error("the certificate could not be renewed, and stays in use", "file", c.file(), "cause", err)
				}
			}
			c.reload()
			select {
			case <-again.C:
			case <-c.done:
				return
			}
		}
	})
}

// close ends the loop and waits for it. close may be called without start.
func (c *certificates) close() {
	if c.done != nil {
		close(c.done)
	}
	c.loop.Wait()
}

// end returns the end of the certificate in use.
func (c *certificates) end() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.Leaf.NotAfter
}

// tlsConfig returns the server side of TLS for all protocols: TLS 1.2 and later (RFC 8996, RFC 8314
// section 4.1), with the cipher suites and groups of Mozilla's "intermediate" profile. The cipher
// suites of TLS 1.3 are fixed.
func (c *certificates) tlsConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: c.get,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384},
	}
}
