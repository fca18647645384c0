package app

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"popelago/mail"
)

// renewBefore is the time before its end at which a certificate should have been renewed.
const renewBefore = 14 * 24 * time.Hour

// leastRSA is the least length in bits of an RSA key that mail programs accept (RFC 9325 section 4.5).
const leastRSA = 2048

// renewHint is the remedy for a certificate near or after its end.
const renewHint = "renew it; the server reads the files again when they change"

// judgeCertificate returns the problems that mail programs will have with a certificate for hostname,
// or a good finding. cert.Leaf must be set.
func judgeCertificate(file, hostname string, cert *tls.Certificate, now time.Time) []Finding {
	var found []Finding
	add := func(level, hint, format string, args ...any) {
		found = append(found, Finding{Level: level, Check: "tls", Text: "the certificate in " + file + " " + fmt.Sprintf(format, args...), Hint: hint})
	}
	leaf := cert.Leaf
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		add(FindingError, renewHint, "ended at %s", utc(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		add(FindingError, "wait, or set the clock of this machine if it is wrong", "holds from %s only", utc(leaf.NotBefore))
	case left < renewBefore:
		add(FindingWarning, renewHint, "holds until %s", utc(leaf.NotAfter))
	}
	if err := verifyName(leaf, hostname); err != nil {
		add(FindingWarning, "get one for that name, or set hostname to the name that mail programs use", "is not for the name %s: %v", hostname, err)
	}
	if key, isRSA := leaf.PublicKey.(*rsa.PublicKey); isRSA && key.N.BitLen() < leastRSA {
		add(FindingWarning, fmt.Sprintf("make a key of %d bits, or an ECDSA key, and get a certificate for it", leastRSA),
			"has an RSA key of %d bits, which many mail programs refuse", key.N.BitLen())
	}
	found = append(found, judgeIssuers(file, cert, now)...)
	if err := judgeChain(cert); err != nil {
		add(FindingWarning, "put the server's certificate first, then the one that signed it, and so on, as certificate authorities deliver it (fullchain.pem)", "%v", err)
	}
	if len(found) == 0 {
		add(FindingOK, "", "holds until %s", utc(leaf.NotAfter))
	}
	return found
}

// outOfTime reports whether now is outside of the time of a certificate.
func outOfTime(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || !now.Before(c.NotAfter)
}

// judgeIssuers returns findings about issuer certificates that are out of their time. If the server's
// certificate is out of time too, judgeIssuers returns none: a renewal replaces the issuers.
func judgeIssuers(file string, cert *tls.Certificate, now time.Time) (found []Finding) {
	if outOfTime(cert.Leaf, now) {
		return nil
	}
	for _, der := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil || !outOfTime(c, now) {
			continue // judgeChain reports an unreadable certificate
		}
		found = append(found, Finding{
			Level: FindingWarning, Check: "tls",
			Text: fmt.Sprintf("behind the certificate in %s stands the certificate of %q, which holds from %s to %s only", file, c.Subject, utc(c.NotBefore), utc(c.NotAfter)),
			Hint: "replace it by the certificate that the authority delivers now (fullchain.pem)",
		})
	}
	return found
}

// utc returns a moment in the form of findings.
func utc(t time.Time) string { return t.UTC().Format(time.DateTime + " UTC") }

// verifyName checks that a certificate is for a host name or an address literal.
func verifyName(leaf *x509.Certificate, hostname string) error {
	if ip, ok := mail.LiteralAddress(hostname); ok {
		hostname = ip.String()
	}
	return leaf.VerifyHostname(hostname)
}

// judgeChain returns the reason that clients may not find a chain from a certificate to an authority:
// a certificate of the file is out of place, or an intermediate certificate is missing.
func judgeChain(cert *tls.Certificate) error {
	chain := []*x509.Certificate{cert.Leaf}
	for _, der := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("has a certificate behind it that cannot be read: %w", err)
		}
		chain = append(chain, c)
	}
	for i, c := range chain[:len(chain)-1] {
		if c.CheckSignatureFrom(chain[i+1]) != nil {
			return fmt.Errorf("is followed by certificates in the wrong order: %q is signed by %q, and behind it stands %q",
				c.Subject, c.Issuer, chain[i+1].Subject)
		}
	}
	last := chain[len(chain)-1]
	if last.CheckSignatureFrom(last) == nil || string(last.RawIssuer) == string(last.RawSubject) {
		return nil // an authority, or self-signed
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: middle(cert.Leaf)})
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("comes without an intermediate certificate: %q is signed by %q, which is neither in the file nor known to this machine",
			last.Subject, last.Issuer)
	}
	return nil
}

// middle returns a moment inside of the time of a certificate.
func middle(c *x509.Certificate) time.Time { return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2) }
