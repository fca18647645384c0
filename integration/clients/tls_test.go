package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/integration/servertest"
)

// TestTestssl lets testssl find deviations from Mozilla's intermediate profile.
func TestTestssl(t *testing.T) {
	t.Parallel()
	servertest.NeedProgram(t, "testssl", "testssl.sh")
	srv := servertest.StartServer(t, servertest.Setup{})
	for name, args := range map[string][]string{
		"POP3S":         {"--protocols", "--standard", "--fs", srv.POP3S},
		"POP3 and STLS": {"--protocols", "--starttls", "pop3", srv.POP3},
		"SMTP":          {"--protocols", "--starttls", "smtp", srv.SMTP},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := filepath.Join(servertest.ClientDir(t), "report.json")
			args = append([]string{"--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--jsonfile", report}, args...)
			_, output := servertest.Program{Limit: 20 * time.Minute}.Run(t, "testssl", args...)
			var findings []struct{ ID, Severity, Finding string }
			if err := json.Unmarshal([]byte(servertest.ReadFile(t, report)), &findings); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			seen := map[string]string{}
			for _, f := range findings {
				seen[f.ID] = f.Finding
				switch f.Severity {
				case "OK", "INFO", "WARN", "DEBUG": // the latter two are about testssl itself
				default:
					t.Errorf("%s: %s: %s", f.Severity, f.ID, f.Finding)
				}
			}
			for _, id := range []string{"TLS1_2", "TLS1_3"} {
				if !strings.HasPrefix(seen[id], "offered") {
					t.Errorf("%s is %q\n%s", id, seen[id], output)
				}
			}
		})
	}
}

// TestStrictVerifier: Python from 3.13 on verifies strictly by default.
func TestStrictVerifier(t *testing.T) {
	t.Parallel()
	servertest.NeedProgram(t, "python3", "python3")
	srv := servertest.NewServer(t, servertest.Setup{})
	var settings []string
	for line := range strings.Lines(servertest.ReadFile(t, srv.Conf)) {
		if !strings.HasPrefix(line, "tls.") {
			settings = append(settings, strings.TrimSuffix(line, "\n"))
		}
	}
	if err := os.Remove(srv.Conf); err != nil {
		t.Fatal(err)
	}
	servertest.WriteFile(t, srv.Conf, servertest.Lines(append(settings, "tls.self_signed = true")...))
	srv.Start(t)
	const program = `
import poplib, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
host, port = sys.argv[2].rsplit(":", 1)
print(poplib.POP3_SSL("localhost", int(port), context=context).getwelcome())
`
	out := servertest.Program{}.Must(t, "python3", "-c", program, filepath.Join(srv.Data, "tls-ca.pem"), srv.POP3S)
	if !strings.Contains(out, "+OK") {
		t.Error(out)
	}
}
