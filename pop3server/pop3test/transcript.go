package pop3test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/store"
)

// RunTranscripts runs the transcripts that match glob, each on an empty store from open. open closes
// the store at the end of its t.
func RunTranscripts(t *testing.T, glob string, open func(t *testing.T) store.Store) {
	t.Helper()
	mailtest.RunTranscripts(t, glob, func(t *testing.T, options map[string]string) net.Conn {
		t.Helper()
		o, err := parseOptions(options)
		if err != nil {
			t.Fatal(err)
		}
		f := New(t, open(t), o.cfg, o.tls != "no")
		if retention := mail.Retention(time.Duration(o.expireDays) * 24 * time.Hour); retention.Ends() {
			if _, err := f.Directory.ChangeDomain(t.Context(), "example.test", store.DomainChange{Retention: &retention}); err != nil {
				t.Fatal(err)
			}
		}
		f.AddSamples(t, o.mail)
		if o.tls != "yes" {
			return f.Dial(t, o.remote)
		}
		client, server := mailtest.Pipe(o.remote)
		l := &oneConn{conn: make(chan net.Conn, 1), addr: server.RemoteAddr()}
		l.conn <- server
		go f.Server.ServeTLS(l)
		tc := tls.Client(client, f.TLS.Client)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		return tc
	})
}

// options are the options of a transcript.
type options struct {
	cfg  pop3server.Config
	mail int
	// expireDays is the retention of the domain; 0: without limit.
	expireDays int
	remote     string
	tls        string
}

func parseOptions(given map[string]string) (o options, err error) {
	o.cfg.FailureDelay = -1
	o.tls = "stls"
	number := func(value string) (n int) {
		if n, err = strconv.Atoi(value); err != nil {
			err = fmt.Errorf("option value %q: %w", value, err)
		}
		return n
	}
	for key, value := range given {
		if err != nil {
			break
		}
		switch key {
		case "mail":
			o.mail = number(value)
		case "remote":
			o.remote = value
		case "tls":
			o.tls = value
		case "insecure":
			o.cfg.AllowInsecureAuth = value == "yes"
		case "banner":
			o.cfg.Banner = value
		case "implementation":
			o.cfg.Implementation = value
		case "expire-days":
			o.expireDays = number(value)
		case "login-delay":
			o.cfg.LoginDelay, err = time.ParseDuration(value)
		case "max-line":
			o.cfg.MaxLine = number(value)
		case "bad-commands":
			o.cfg.MaxBadCommands = number(value)
		case "failed-logins":
			o.cfg.MaxFailedLogins = number(value)
		default:
			err = fmt.Errorf("unknown option %q", key)
		}
	}
	return o, err
}

// oneConn is a net.Listener of one connection.
type oneConn struct {
	conn  chan net.Conn
	addr  net.Addr
	close sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l.conn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.close.Do(func() { close(l.conn) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.addr }
