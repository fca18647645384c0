package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"popelago/wire"
)

// scriptConn is a connection whose peer has sent all input already. Each Read returns octets of a
// single chunk.
type scriptConn struct {
	chunks [][]byte
	out    bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	for len(c.chunks) > 0 && len(c.chunks[0]) == 0 {
		c.chunks = c.chunks[1:]
	}
	if len(c.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.chunks[0])
	c.chunks[0] = c.chunks[0][n:]
	return n, nil
}

func (c *scriptConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scriptConn) Close() error                     { return nil }
func (c *scriptConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *scriptConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *scriptConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// split cuts b into chunks of size octets.
func split(b []byte, size int) (chunks [][]byte) {
	for len(b) > size {
		chunks = append(chunks, b[:size])
		b = b[size:]
	}
	return append(chunks, b)
}

// unregistered are metrics without a registry. All tests share the metrics, since making metrics takes
// most of the time of a short session.
var unregistered = sync.OnceValue(func() *wire.Metrics { return wire.NewMetrics(nil) })

// serve runs handle on a connection that receives chunks, and returns the output.
func serve(cfg wire.Config, chunks [][]byte, handle func(c *wire.Conn)) []byte {
	conn := &scriptConn{chunks: chunks}
	cfg.Metrics = unregistered()
	cfg.Handle = func(_ context.Context, c *wire.Conn) { handle(c) }
	wire.NewServer(cfg).ServeConn(conn)
	return conn.out.Bytes()
}

// serveOn runs handle on a connection.
func serveOn(conn net.Conn, handle func(c *wire.Conn)) {
	wire.NewServer(wire.Config{Handle: func(_ context.Context, c *wire.Conn) { handle(c) }}).ServeConn(conn)
}

// session reads all lines, and returns the results of ReadLine as texts.
func session(cfg wire.Config, chunks [][]byte) (got []string) {
	serve(cfg, chunks, func(c *wire.Conn) {
		for {
			line, err := c.ReadLine()
			switch {
			case err == nil:
				got = append(got, "line "+string(line))
			case errors.Is(err, wire.ErrLineTooLong), errors.Is(err, wire.ErrBareLineEnd):
				got = append(got, err.Error())
			default:
				got = append(got, "end: "+err.Error())
				return
			}
		}
	})
	return got
}
