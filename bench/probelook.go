package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// look is the view of a maildrop at one site, over many sessions. One goroutine uses it.
type look struct {
	target Target
	login  Login
	// others are the unique-ids of further messages: TOP is sent for new messages alone.
	others map[string]bool
	uidl   string // of the message, once found
}

// session does work in a session. QUIT follows, unless work fails: a failed session removes no message.
func (l *look) session(ctx context.Context, work func(c *popClient, ids []string) error) error {
	c, err := dialPOP(ctx, l.target)
	if err != nil {
		return err
	}
	defer c.link.close()
	if err := c.login(l.login); err != nil {
		return err
	}
	n, _, err := c.stat()
	if err != nil {
		return err
	}
	ids, err := c.uidl(n)
	if err != nil {
		return err
	}
	if err := work(c, ids); err != nil {
		return err
	}
	return c.quit()
}

// begin notes the present messages.
func (l *look) begin(ctx context.Context) error {
	return l.session(ctx, func(_ *popClient, ids []string) error {
		for _, id := range ids {
			l.others[id] = true
		}
		return nil
	})
}

// find reports whether a new session lists the message with the token.
func (l *look) find(ctx context.Context, t token) (found bool, err error) {
	err = l.session(ctx, func(c *popClient, ids []string) error {
		for i := len(ids) - 1; i >= 0 && !found; i-- { // the newest first
			if l.others[ids[i]] {
				continue
			}
			is, err := c.isOurs(i+1, t)
			if err != nil {
				return err
			}
			if found = is; is {
				l.uidl = ids[i]
			} else {
				l.others[ids[i]] = true
			}
		}
		return nil
	})
	return found, err
}

// ours returns the number of the message in a session, by its unique-id and its token. Errors: ErrProbeGone.
func (l *look) ours(c *popClient, ids []string, t token) (int, error) {
	for i, id := range ids {
		if id != l.uidl {
			continue
		}
		is, err := c.isOurs(i+1, t)
		if err != nil {
			return 0, err
		}
		if is {
			return i + 1, nil
		}
	}
	return 0, ErrProbeGone
}

// compare gets the message, and compares its text with the text sent. Errors: ErrOtherText,
// ErrProbeGone.
func (l *look) compare(ctx context.Context, t token) error {
	return l.session(ctx, func(c *popClient, ids []string) error {
		n, err := l.ours(c, ids, t)
		if err != nil {
			return err
		}
		text, err := c.text("RETR", strconv.Itoa(n))
		if err != nil {
			return err
		}
		_, start, err := findToken(text)
		if err != nil || !bytes.Equal(text[start:], appendMessage(nil, t)) {
			return fmt.Errorf("%w: %d octets", ErrOtherText, len(text))
		}
		return nil
	})
}

// remove removes the message. Errors: ErrProbeGone.
func (l *look) remove(ctx context.Context, t token) error {
	return l.session(ctx, func(c *popClient, ids []string) error {
		n, err := l.ours(c, ids, t)
		if err != nil {
			return err
		}
		_, err = c.command("DELE", strconv.Itoa(n))
		return err
	})
}

// isOurs reports whether a message has the token in its header. TOP counts as no retrieval.
func (c *popClient) isOurs(number int, t token) (bool, error) {
	text, err := c.text("TOP", strconv.Itoa(number)+" 0")
	var refused *replyError
	if errors.As(err, &refused) {
		return false, nil // removed meanwhile
	}
	if err != nil {
		return false, err
	}
	found, _, err := findToken(text)
	return err == nil && found == t, nil
}

// maxProbeText bounds a text of POP3, in octets.
const maxProbeText = 1 << 20

// text sends a command and reads the text of the response, without dot-stuffing.
func (c *popClient) text(verb, arguments string) ([]byte, error) {
	if _, err := c.command(verb, arguments); err != nil {
		return nil, err
	}
	var text []byte
	for r := newDotReader(c.link.br); ; {
		piece, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		case len(text)+len(piece) > maxProbeText:
			return nil, fmt.Errorf("%s: more than %d octets", verb, maxProbeText)
		}
		text = append(text, piece...)
	}
}
