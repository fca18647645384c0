package mailtest_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
)

// echo greets, sends lines back, and closes the connection after "quit".
func echo(conn net.Conn, greeting string) {
	defer conn.Close()
	io.WriteString(conn, greeting+"\r\n")
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "quit\r\n" {
			return
		}
		io.WriteString(conn, line)
	}
}

func TestRunTranscripts(t *testing.T) {
	mailtest.RunTranscripts(t, "testdata/transcripts/*.txt", func(t *testing.T, options map[string]string) net.Conn {
		client, server := mailtest.Pipe("")
		go echo(server, options["greeting"])
		return client
	})
}

func TestClientReadsMultiline(t *testing.T) {
	client, server := mailtest.Pipe("192.0.2.1")
	if got := server.RemoteAddr().String(); !strings.HasPrefix(got, "192.0.2.1:") {
		t.Errorf("remote address %s", got)
	}
	go func() {
		io.WriteString(server, "+OK\r\nline\r\n..\r\n...x\r\n\r\n.\r\n")
		server.Close()
	}()
	c := mailtest.NewClient(t, client)
	c.Expect("+OK")
	if got, want := string(c.ReadMultiline()), "line\r\n.\r\n..x\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.ExpectEOF()
}

func TestCertificateServesItsClient(t *testing.T) {
	cert := mailtest.Certificate(t)
	if _, err := tls.LoadX509KeyPair(cert.CertFile, cert.KeyFile); err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	go echo(tls.Server(server, cert.Server), "secret")
	c := mailtest.NewClient(t, client)
	c.StartTLS(cert.Client)
	c.Expect("secret")
	c.Do("x", "x")
}

func TestWaitFor(t *testing.T) {
	n := 0
	mailtest.WaitFor(t, time.Minute, func() error {
		if n++; n < 3 {
			return errors.New("not yet")
		}
		return nil
	})
}

// The limit of WaitForProgress begins again with each progress.
func TestWaitForProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		mailtest.WaitForProgress(t, time.Minute, func() (int64, error) {
			done := int64(time.Since(began) / (50 * time.Second))
			if done < 10 {
				return done, errors.New("not yet")
			}
			return done, nil
		})
		if took := time.Since(began); took < 500*time.Second {
			t.Errorf("the wait ended after %v", took)
		}
	})
}

func TestCorpusIsWhatItSays(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mailtest.Corpus() {
		if seen[m.Name] {
			t.Errorf("two messages are called %s", m.Name)
		}
		seen[m.Name] = true
		text := string(m.Octets())
		rest := strings.ReplaceAll(text, "\r\n", "")
		if strings.ContainsAny(rest, "\r\n") || text != "" && !strings.HasSuffix(text, "\r\n") {
			t.Errorf("%s: a line does not end in CRLF", m.Name)
		}
		longest := 0
		for line := range strings.SplitSeq(text, "\r\n") {
			longest = max(longest, len(line))
		}
		if longest != m.LongestLine {
			t.Errorf("%s: longest line is %d octets, not %d", m.Name, longest, m.LongestLine)
		}
	}
}
