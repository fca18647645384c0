package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"time"
)

// StartTLS makes the connection a TLS connection, as the server. The caller must have written the
// reply that announces the handshake. StartTLS flushes the reply and discards all input that came
// before the handshake, so that no command pipelined in clear text is ever executed (RFC 3207
// section 4.2, RFC 2595 section 4). After an error the caller must close the connection: a session
// never returns to clear text. StartTLS logs the failure.
func (c *Conn) StartTLS(ctx context.Context, cfg *tls.Config) error {
	if err := c.Flush(); err != nil {
		return err
	}
	c.r, c.w = 0, 0
	c.releaseInput()
	return c.handshake(ctx, cfg)
}

// handshake makes the connection a TLS connection, and logs a failure.
func (c *Conn) handshake(ctx context.Context, cfg *tls.Config) error {
	err := c.tryHandshake(ctx, cfg)
	if err != nil {
		c.LogSummed(slog.LevelInfo, "TLS handshake failed", err)
	}
	return err
}

func (c *Conn) tryHandshake(ctx context.Context, cfg *tls.Config) error {
	below := &records{Conn: c.net}
	tc := tls.Server(below, cfg)
	deadline := c.earliest(time.Now().Add(c.cfg.HandshakeTimeout))
	tc.SetDeadline(deadline)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c.mu.Lock()
	if stopped := c.endedLocked(); stopped != nil {
		c.mu.Unlock()
		return stopped
	}
	c.cancelHandshake = cancel
	c.mu.Unlock()
	err := tc.HandshakeContext(ctx)
	c.mu.Lock()
	c.cancelHandshake = nil
	stopped := c.endedLocked()
	if err == nil {
		c.net, c.records, c.secured = tc, below, true
		c.emptied = true
	}
	c.mu.Unlock()
	switch {
	case err == nil:
	case stopped != nil:
		return stopped
	case errors.Is(err, context.DeadlineExceeded):
		return c.countTimeout(ErrTimeout)
	default:
		return translate(err)
	}
	tc.SetDeadline(time.Time{})
	state := tc.ConnectionState()
	c.tls = &state
	return nil
}
