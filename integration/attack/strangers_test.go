package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"popelago/config"
)

// idling: strangers from 60 addresses hold all connections and never log in. A dropped stranger
// returns a little later.
func idling() attack {
	const connections, dropAfter = 100, 200 * time.Millisecond
	return attack{
		name: "idle connections",
		settings: func(c *config.Config) {
			c.POP3.MaxConns, c.SMTP.MaxConns = connections, connections
			c.POP3.DropAfter, c.SMTP.DropAfter = dropAfter, dropAfter
		},
		begin: func(ctx context.Context, s *victim) func() error {
			s.attack(ctx, 2*connections, func(i int) {
				to := s.pop3
				if i%2 == 0 {
					to = s.smtp
				}
				l, err := dialLines(ctx, loopback(i%60), to)
				if err != nil {
					return
				}
				defer l.Close()
				stop := context.AfterFunc(ctx, func() { l.Close() })
				defer stop()
				io.Copy(io.Discard, l) // until the server drops the connection
				pause(ctx, 5*time.Second)
			})
			connected := s.atLeast(2 * connections)
			var since time.Time
			return func() error {
				err := connected()
				switch {
				case err != nil:
				case since.IsZero():
					since = time.Now()
					fallthrough
				case time.Since(since) < 5*dropAfter:
					err = errors.New("the connections are not old enough to be dropped")
				}
				return err
			}
		},
	}
}

// flooding: strangers send harmless commands as fast as they can, and guess addresses.
func flooding() attack {
	return attack{
		name: "floods of harmless commands",
		begin: func(ctx context.Context, s *victim) func() error {
			s.attack(ctx, 60, func(i int) {
				to, flood := s.smtp, []string{"NOOP\r\n", "RSET\r\n", "MAIL\r\n", "MAIL FROM:<>\r\nRSET\r\n", "EHLO x\r\n", "BDAT 0\r\nNOOP\r\n"}[i%6]
				switch i % 5 {
				case 0:
					to, flood = s.pop3, "CAPA\r\n"
				case 1:
					flood = fmt.Sprintf("RCPT TO:<nobody%d@%s>\r\n", i, domain)
				}
				l, err := dialLines(ctx, loopback(i%60), to)
				if err != nil {
					return
				}
				defer l.Close()
				stop := context.AfterFunc(ctx, func() { l.Close() })
				defer stop()
				go io.Copy(io.Discard, l)
				io.WriteString(l, "EHLO client.example\r\nMAIL FROM:<>\r\n")
				many := strings.Repeat(flood, 200)
				for err == nil && ctx.Err() == nil {
					_, err = io.WriteString(l, many)
				}
			})
			return s.atLeast(120)
		},
	}
}

// pause waits, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
	}
}
