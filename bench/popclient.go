package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
)

// maxWindow is the largest number of commands ahead of their responses. This many fit in the
// buffers of any connection, so a write never waits for the server.
const maxWindow = 2000

// popClient is one POP3 session. One goroutine uses it. After an error other than a *replyError it
// is unusable.
type popClient struct {
	link *link
	wire []byte // the next output
}

// dialPOP connects to t, reads the greeting and sends STLS if the target wants it.
func dialPOP(ctx context.Context, t Target) (*popClient, error) {
	l, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &popClient{link: l}
	if err := c.greet(t); err != nil {
		l.close()
		return nil, err
	}
	return c, nil
}

// greet reads the greeting and sends STLS if the target wants it.
func (c *popClient) greet(t Target) error {
	if _, err := c.response("greeting"); err != nil {
		return err
	}
	if t.TLS != TLSStart {
		return nil
	}
	if _, err := c.command("STLS", ""); err != nil {
		return err
	}
	return c.link.startTLS(t.tlsConfig())
}

// response reads the first line of a response and returns the text after "+OK". -ERR is a
// *replyError. The slice is valid until the next read.
func (c *popClient) response(command string) ([]byte, error) {
	line, err := c.link.line()
	if err != nil {
		return nil, err
	}
	if rest, ok := bytes.CutPrefix(line, []byte("+OK")); ok {
		return bytes.TrimPrefix(rest, []byte(" ")), nil
	}
	if bytes.HasPrefix(line, []byte("-ERR")) {
		return nil, &replyError{command, string(line)}
	}
	return nil, fmt.Errorf("%s: not a POP3 response: %q", command, line[:min(len(line), 80)])
}

// command sends a command with its arguments, which may be empty, and reads the first line
// of the response.
func (c *popClient) command(verb, arguments string) ([]byte, error) {
	c.link.arm()
	c.wire = append(c.wire[:0], verb...)
	if arguments != "" {
		c.wire = append(append(c.wire, ' '), arguments...)
	}
	c.wire = append(c.wire, "\r\n"...)
	if err := c.link.write(c.wire); err != nil {
		return nil, err
	}
	return c.response(verb)
}

// login does USER and PASS.
func (c *popClient) login(l Login) error {
	if _, err := c.command("USER", l.Name); err != nil {
		return err
	}
	_, err := c.command("PASS", l.Password)
	return err
}

// stat does STAT.
func (c *popClient) stat() (messages int, octets int64, err error) {
	rest, err := c.command("STAT", "")
	if err != nil {
		return 0, 0, err
	}
	return parseStat(rest)
}

// parseStat reads "2 320" (RFC 1939 section 5). More may follow.
func parseStat(rest []byte) (messages int, octets int64, err error) {
	fields := bytes.Fields(rest)
	if len(fields) >= 2 {
		messages, err = strconv.Atoi(string(fields[0]))
		if err == nil {
			octets, err = strconv.ParseInt(string(fields[1]), 10, 64)
		}
		if err == nil && messages >= 0 && octets >= 0 {
			return messages, octets, nil
		}
	}
	return 0, 0, fmt.Errorf("STAT: want two numbers, not %q", rest)
}

// poll sends USER, PASS, STAT and QUIT in one write and returns the number of messages in STAT.
func (c *popClient) poll(l Login) (messages int, err error) {
	c.link.arm()
	c.wire = fmt.Appendf(c.wire[:0], "USER %s\r\nPASS %s\r\nSTAT\r\nQUIT\r\n", l.Name, l.Password)
	if err := c.link.write(c.wire); err != nil {
		return 0, err
	}
	var first error
	for _, verb := range []string{"USER", "PASS", "STAT", "QUIT"} {
		rest, err := c.response(verb)
		if err == nil && verb == "STAT" {
			messages, _, err = parseStat(rest)
		}
		var no *replyError
		if err != nil && !errors.As(err, &no) {
			return 0, err
		}
		if first == nil {
			first = err
		}
	}
	return messages, first
}

// numbered reads a listing of n messages, numbers 1 to n in order, and passes the rest of
// each line to take. The slice is valid only during the call.
func (c *popClient) numbered(verb string, n int, take func(number int, rest []byte) error) error {
	if _, err := c.command(verb, ""); err != nil {
		return err
	}
	for number := 1; ; number++ {
		c.link.arm()
		line, err := c.link.line()
		if err != nil {
			return err
		}
		if len(line) == 1 && line[0] == '.' {
			if number != n+1 {
				return fmt.Errorf("%s: %d lines for %d messages", verb, number-1, n)
			}
			return nil
		}
		first, rest, _ := bytes.Cut(line, []byte(" "))
		got, err := strconv.Atoi(string(first))
		if err != nil || got != number {
			return fmt.Errorf("%s: want the line of message %d, not %q", verb, number, line[:min(len(line), 80)])
		}
		if err := take(number, rest); err != nil {
			return err
		}
	}
}

// uidl returns the unique-ids of all messages; message number i has index i-1.
func (c *popClient) uidl(n int) ([]string, error) {
	ids := make([]string, 0, n)
	err := c.numbered("UIDL", n, func(number int, rest []byte) error {
		ids = append(ids, string(rest))
		return nil
	})
	return ids, err
}

// list returns the sizes of all messages; message number i has index i-1.
func (c *popClient) list(n int) ([]int64, error) {
	sizes := make([]int64, 0, n)
	err := c.numbered("LIST", n, func(number int, rest []byte) error {
		text, _, _ := bytes.Cut(rest, []byte(" "))
		size, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || size < 0 {
			return fmt.Errorf("LIST: want the size of message %d, not %q", number, rest)
		}
		sizes = append(sizes, size)
		return nil
	})
	return sizes, err
}

// quit sends QUIT and closes. A *replyError or another error describes the failure.
func (c *popClient) quit() error {
	_, err := c.command("QUIT", "")
	c.link.closeAfterPeer()
	return err
}
