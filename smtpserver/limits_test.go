package smtpserver_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/delivery"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// bubble runs a test with a fake clock. The client has no timeout, which would end first.
func bubble(t *testing.T, change func(*smtptest.Settings), test func(t *testing.T, r *smtptest.Fixture, c *mailtest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, smtpserver.SMTP, change)
		c := mailtest.NewClient(t, r.Dial(t, "192.0.2.1"))
		c.Timeout = 0
		c.Expect("220 ")
		c.Do("HELO client.example", "250 ")
		test(t, r, c)
	})
}

func TestIdleTimeout(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *smtptest.Fixture, c *mailtest.Client) {
		time.Sleep(4 * time.Minute)
		c.Do("NOOP", "250 ")
		start := time.Now()
		c.Send("NO") // half a command does not help
		c.Expect("421 4.4.2 timeout")
		c.ExpectEOF()
		if took := time.Since(start); took != 5*time.Minute {
			t.Errorf("closed after %v, want 5m", took)
		}
	})
}

// TestSlowSender: a message may take hours as long as octets arrive. No part of the text is ever
// executed as a command.
func TestSlowSender(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *smtptest.Fixture, c *mailtest.Client) {
		begin(c)
		c.Do("DATA", "354 ")
		line := strings.Repeat("x", 1022) + "\r\n"
		start := time.Now()
		for range 200 {
			time.Sleep(18 * time.Second) // 16 KiB in 4.8 minutes
			c.Send(line)
		}
		c.Send(".\r\n")
		c.Expect("250 2.0.0 ok ")
		if took := time.Since(start); took < time.Hour {
			t.Fatalf("the test took only %v", took)
		}
		if got := r.Inbox(t, "alice"); len(got) != 1 || smtptest.Text(t, got[0]) != "\r\n"+strings.Repeat(line, 200) {
			t.Errorf("%d messages", len(got))
		}
	})
}

// TestTricklingSender: some octets now and then are not enough.
func TestTricklingSender(t *testing.T) {
	bubble(t, func(s *smtptest.Settings) { s.Server.BodyTimeout = 3 * time.Minute }, func(t *testing.T, r *smtptest.Fixture, c *mailtest.Client) {
		begin(c)
		c.Do("DATA", "354 ")
		start := time.Now()
		go func() {
			for range 30 {
				c.Send("QUIT\r\n")
				time.Sleep(10 * time.Second)
			}
		}()
		c.Expect("421 4.4.2 timeout")
		c.ExpectEOF()
		if took := time.Since(start); took != 3*time.Minute {
			t.Errorf("closed after %v, want 3m", took)
		}
		if got := r.Inbox(t, "alice"); len(got) > 0 {
			t.Errorf("alice got %q", got)
		}
		time.Sleep(10 * time.Minute) // for the goroutine to end
	})
}

func TestSlowChunk(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *smtptest.Fixture, c *mailtest.Client) {
		begin(c)
		c.Send("BDAT 100 LAST\r\nQUIT\r\n")
		c.Expect("421 4.4.2 timeout")
		c.ExpectEOF()
		if got := r.Inbox(t, "alice"); len(got) > 0 {
			t.Errorf("alice got %q", got)
		}
	})
}

// TestDisconnect: a connection cut anywhere in a text stores nothing.
func TestDisconnect(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, nil)
	for _, text := range []string{"DATA\r\n", "DATA\r\nhello\r\n", "DATA\r\nhello\r\n.", "DATA\r\nhello\r\n.\r", "BDAT 5\r\nhell", "BDAT 5\r\nhello", "BDAT 5 LAST\r\nhell"} {
		conn := r.Dial(t, "192.0.2.1")
		c := mailtest.NewClient(t, conn)
		c.Expect("220 ")
		c.Do("HELO client.example", "250 ")
		begin(c)
		go func() { // the replies
			for {
				if _, err := c.TryLine(); err != nil {
					return
				}
			}
		}()
		c.Send(text)
		c.Sync()
		conn.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if got := r.Inbox(t, "alice"); len(got) > 0 {
		t.Errorf("alice got %q", got)
	}
}

func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a refused client has a second to read the reason
		r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxConns, s.Server.MaxConnsPerAddr = 3, 2 })
		from := func(addr string) *mailtest.Client {
			client, server := mailtest.Pipe(addr)
			go r.ServeConn(server)
			return mailtest.NewClient(t, client)
		}
		first := from("192.0.2.1")
		first.Expect("220 ")
		from("192.0.2.1").Expect("220 ")
		third := from("192.0.2.1")
		third.Expect("421 4.7.0 too many connections from your address")
		third.ExpectEOF()
		from("192.0.2.2").Expect("220 ")
		fifth := from("192.0.2.3")
		fifth.Expect("421 4.3.2 too many connections")
		fifth.ExpectEOF()
		first.Do("QUIT", "221 ")
		first.ExpectEOF()
		synctest.Wait()
		from("192.0.2.1").Expect("220 ")
	})
}

// TestTooLargeGoesOn: the server stops reading a refused text at a limit.
func TestTooLargeGoesOn(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Delivery.MaxMessageSize = 1000 })
	c := r.Client(t, "HELO client.example")
	begin(c)
	c.Do("DATA", "354 ")
	line := strings.Repeat("x", 1<<16) + "\r\n"
	for range 20 {
		c.Send(line)
	}
	c.Expect("552 5.3.4 ")
	c.ExpectEOF()
}

func TestShutdown(t *testing.T) {
	r := newRig(t, smtpserver.LMTP, nil)
	idle := r.Client(t, "LHLO client.example")
	chunks := r.Client(t, "LHLO client.example")
	begin(chunks)
	chunks.Cmd("BDAT 0")
	chunks.Expect("250 ")
	busy := r.Client(t, "LHLO client.example")
	begin(busy)
	busy.Do("DATA", "354 ")
	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		done <- r.Shutdown(ctx)
	}()
	idle.Expect("421 4.3.2 shutting down")
	idle.ExpectEOF()
	chunks.Expect("421 4.3.2 shutting down")
	chunks.ExpectEOF()
	busy.Send("finishes\r\n.\r\n")
	busy.Expect("250 2.0.0 ok ")
	busy.Expect("421 4.3.2 shutting down")
	busy.ExpectEOF()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := r.Inbox(t, "alice"); len(got) != 1 {
		t.Errorf("alice has %q", got)
	}
}

// TestForcedShutdown: a sender that never ends its text does not delay the server.
func TestForcedShutdown(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, nil)
	c := r.Client(t, "HELO client.example")
	begin(c)
	c.Do("DATA", "354 ")
	c.Send("for ever\r\n")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	c.ExpectEOF()
	if got := r.Inbox(t, "alice"); len(got) > 0 {
		t.Errorf("alice got %q", got)
	}
}

// TestFailedHandshake: after a failed STARTTLS the session does not go on in clear text.
func TestFailedHandshake(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.TLS = mailtest.Certificate(t).Server })
	c := r.Client(t, "EHLO client.example")
	c.Do("STARTTLS", "220 ")
	c.Sync()
	c.Send("MAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")
	for {
		line, err := c.TryLine()
		if err != nil {
			return // closed; an alert may have come before
		}
		if strings.HasPrefix(line, "250") || strings.HasPrefix(line, "354") {
			t.Fatalf("the server says %q", line)
		}
	}
}

func TestImplicitTLS(t *testing.T) {
	cert := mailtest.Certificate(t)
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.TLS = cert.Server })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- r.ServeTLS(l) }()
	c := mailtest.Dial(t, l.Addr().String())
	c.StartTLS(cert.Client)
	c.Expect("220 ")
	c.Do("STARTTLS", "503 ")
	c.Do("QUIT", "221 ")
	c.ExpectEOF()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestNewRefusesNonsense(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, nil)
	d, err := delivery.New(delivery.Config{}, r.Directory, r.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := smtpserver.New(smtpserver.Config{Protocol: "uucp"}, d, nil); err == nil {
		t.Error("an unknown protocol was taken")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ServeTLS(l); err == nil {
		t.Error("TLS without certificate was taken")
	}
}

// TestOpenRecipients: the recipients of all transactions in progress are bounded together, and the end of a transaction makes
// room. A transaction may have 100 recipients in any case.
func TestOpenRecipients(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxOpenRecipients, s.Server.MaxRecipients = 150, 1000 })
	fill := func(c *mailtest.Client, n int) {
		t.Helper()
		c.Do("MAIL FROM:<sender@example.org>", "250 ")
		for range n {
			c.Do("RCPT TO:<alice@example.test>", "250 ")
		}
	}
	first, second := r.Client(t, "HELO client.example"), r.Client(t, "HELO client.example")
	fill(first, 150)
	first.Do("RCPT TO:<alice@example.test>", "452 4.5.3 ")
	fill(second, 100)
	second.Do("RCPT TO:<alice@example.test>", "452 4.5.3 ")
	first.Do("RSET", "250 ")
	fill(first, 50) // 150 together
	second.Do("RCPT TO:<alice@example.test>", "452 4.5.3 ")
	first.Do("DATA", "354 ")
	first.Send("Subject: x\r\n\r\nx\r\n.\r\n")
	first.Expect("250 ")
	second.Do("RCPT TO:<alice@example.test>", "250 ")
	first.Do("QUIT", "221 ")
	second.Do("QUIT", "221 ")
}

// TestSenderOfTheLargestNetworkIsDisplaced: senders of one network that hold all connections with endless texts, or between
// two commands, give way to a sender of another network. They get a temporary refusal.
func TestSenderOfTheLargestNetworkIsDisplaced(t *testing.T) {
	for _, input := range []string{"", "DATA\r\nhello\r\n", "BDAT 5\r\nhello", "BDAT 5\r\nhell"} {
		synctest.Test(t, func(t *testing.T) {
			var log mailtest.Log
			r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) {
				s.Server.MaxConns, s.Server.DropSenderAfter = 3, 30*time.Second
				s.Server.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			})
			open := func(remote string) *mailtest.Client {
				c := mailtest.NewClient(t, r.Dial(t, remote))
				c.Timeout = 0
				c.Expect("220 ")
				c.Do("HELO client.example", "250 ")
				begin(c)
				return c
			}
			first := open("192.0.2.1")
			first.Send(input)
			for _, reply := range map[string][]string{"DATA\r\nhello\r\n": {"354 "}, "BDAT 5\r\nhello": {"250 "}}[input] {
				first.Expect(reply)
			}
			open("192.0.2.2")
			open("192.0.2.3")
			time.Sleep(time.Minute)
			other := open("198.51.100.1")
			first.Expect("421 4.3.2 ")
			first.ExpectEOF()
			other.Do("DATA", "354 ")
			other.Send("Subject: x\r\n\r\nx\r\n.\r\n")
			other.Expect("250 2.0.0 ok ")
			other.Close()
			for _, line := range linesOf(t, &log, "message") {
				if line["remote"] == "192.0.2.1" && line["result"] != "incomplete" {
					t.Errorf("%q: %v", input, line)
				}
			}
		})
	}
}
