package app

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

func TestJudgeCertificate(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	cert := &tls.Certificate{Leaf: &x509.Certificate{NotAfter: end}}
	for _, test := range []struct {
		left time.Duration
		want string
	}{
		{90 * 24 * time.Hour, FindingOK}, {renewBefore, FindingOK}, {renewBefore - time.Second, FindingWarning},
		{time.Second, FindingWarning}, {0, FindingError}, {-time.Hour, FindingError},
	} {
		f := judgeCertificate(Finding{Level: FindingOK, Check: "tls"}, "cert.pem", cert, end.Add(-test.left))
		if f.Level != test.want || !strings.Contains(f.Text, "2027-03-01 12:00:00 UTC") || !strings.Contains(f.Text, "cert.pem") {
			t.Errorf("%v before its end: %+v, want %s", test.left, f, test.want)
		}
		if (f.Hint == "") != (f.Level == FindingOK) {
			t.Errorf("%v before its end: the hint is %q", test.left, f.Hint)
		}
	}
}
