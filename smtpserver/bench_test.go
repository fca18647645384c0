package smtpserver_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"popelago/mail"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/embedded"
)

// BenchmarkDeliverLMTP delivers messages of 8 KiB to 80 users over 16 connections, durably, to a
// folder of the disk. MAIL, RCPT and DATA are sent in one segment, as by Postfix.
//
//	go test ./smtpserver -run - -bench DeliverLMTP -benchtime 10s
func BenchmarkDeliverLMTP(b *testing.B) {
	const connections, users, size = 16, 80, 8 << 10
	st, err := embedded.Open(embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	r := smtptest.New(b, store.Single(st), smtpserver.LMTP, nil)
	for i := range users {
		if _, err := r.Directory.AddAccount(b.Context(), mail.Address{Local: fmt.Sprintf("user%d", i), Domain: "example.test"}, "secret"); err != nil {
			b.Fatal(err)
		}
	}
	addr := r.Listen(b)
	message := "Subject: benchmark\r\n\r\n" + strings.Repeat(strings.Repeat("x", 76)+"\r\n", size/78) + ".\r\n"

	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	var next atomic.Int64
	errs := make(chan error, connections)
	b.ResetTimer()
	for range connections {
		go func() {
			errs <- deliverLoop(addr, message, func() (string, bool) {
				n := next.Add(1)
				return fmt.Sprintf("user%d@example.test", n%users), n <= int64(b.N)
			})
		}()
	}
	for range connections {
		if err := <-errs; err != nil {
			b.Error(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// deliverLoop delivers to the recipients that next returns, until next has no more recipients.
func deliverLoop(addr, message string, next func() (string, bool)) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	expect := func(code string) error {
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return err
			}
			if string(line[:3]) != code {
				return fmt.Errorf("the server says %q, want %s", line, code)
			}
			if line[3] == ' ' {
				return nil
			}
		}
	}
	var out []byte
	say := func(text string, codes ...string) error {
		out = append(out[:0], text...)
		if _, err := conn.Write(out); err != nil {
			return err
		}
		for _, code := range codes {
			if err := expect(code); err != nil {
				return err
			}
		}
		return nil
	}
	if err := say("LHLO client.example\r\n", "220", "250"); err != nil {
		return err
	}
	for {
		rcpt, more := next()
		if !more {
			return say("QUIT\r\n", "221")
		}
		if err := say("MAIL FROM:<sender@example.org>\r\nRCPT TO:<"+rcpt+">\r\nDATA\r\n", "250", "250", "354"); err != nil {
			return err
		}
		if err := say(message, "250"); err != nil {
			return err
		}
	}
}
