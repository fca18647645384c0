package attack

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"popelago/config"
)

// unfinished: a few strangers send large texts without end to a server with a small disk, until the
// server refuses more. Then they keep their texts open, and return with the rest.
func unfinished() attack {
	const (
		disk      = 256 << 20
		strangers = 6
		size      = 64 << 20 // of each text
		piece     = 1 << 20
	)
	text := strings.Repeat(strings.Repeat("x", 1022)+"\r\n", piece>>10)
	return attack{
		name:     "large texts that do not end, on a small disk",
		disk:     disk,
		settings: func(c *config.Config) { c.Store.Reserve = 64 << 20 },
		begin: func(ctx context.Context, s *victim) func() error {
			var pieces atomic.Int64 // read by the server
			s.attack(ctx, strangers, func(i int) {
				defer pause(ctx, 200*time.Millisecond)
				l, err := dialLines(ctx, loopback(i%strangers), s.smtp)
				if err != nil {
					return
				}
				defer l.Close()
				stop := context.AfterFunc(ctx, func() { l.Close() })
				defer stop()
				l.SetDeadline(time.Time{})
				if l.talk("220", "EHLO client.example", "250") != nil || l.skipReply() != nil ||
					l.talk("", "MAIL FROM:<stranger@example.org>", "250", "RCPT TO:<"+userName+">", "250") != nil {
					return
				}
				send := func(text string) error { // in chunks
					if _, err := fmt.Fprintf(l, "BDAT %d\r\n%s", len(text), text); err != nil {
						return err
					}
					return l.expect("250")
				}
				if i%2 == 0 { // in one piece
					if l.talk("", "DATA", "354") != nil {
						return
					}
					send = func(text string) error {
						_, err := io.WriteString(l, text)
						return err
					}
				}
				for range size / piece {
					if err = send(text); err != nil {
						return
					}
					pieces.Add(1)
				}
				for err == nil && ctx.Err() == nil { // slowly, so as not to look dead
					pause(ctx, time.Second)
					err = send(text[:2048])
				}
			})
			return func() error {
				if got := pieces.Load() * piece; got < disk {
					return fmt.Errorf("%d octets were taken, less than the disk has", got)
				}
				return nil
			}
		},
	}
}

// skipReply reads the rest of a reply of several lines, of which the first was read.
func (l *lineClient) skipReply() error {
	for {
		line, err := l.in.ReadString('\n')
		if err != nil || len(line) < 4 || line[3] == ' ' {
			return err
		}
	}
}
