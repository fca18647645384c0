package wire_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/wire"
)

// trickle passes octets on one by one.
type trickle struct{ net.Conn }

func (c trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// batch can hold octets back until flush, so that many TLS records arrive at once.
type batch struct {
	net.Conn
	hold bool
	held []byte
}

func (c *batch) Write(p []byte) (int, error) {
	if c.hold {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// flush ends the holding back.
func (c *batch) flush() error {
	c.hold = false
	_, err := c.Conn.Write(c.held)
	return err
}

// Command lines arrive however TLS records divide them, and however the network divides the records: a session waits
// for a record only if TLS has no input left.
func TestLinesInRecords(t *testing.T) {
	certificate := mailtest.Certificate(t)
	var text strings.Builder
	var want []string
	for i := range 500 {
		want = append(want, strings.Repeat(string(rune('a'+i%26)), i%300))
		text.WriteString(want[i] + "\r\n")
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range []struct {
			how   string
			sizes []int // of the records
		}{
			{"as written", []int{7, 256, 257, 1 << 20}}, {"at once", []int{7, 256, 257, 5000}}, {"octet by octet", []int{5000}},
		} {
			for _, size := range test.sizes {
				cfg := certificate.Client.Clone()
				cfg.MaxVersion = version
				got := linesInRecords(t, certificate.Server, cfg, text.String(), size, test.how)
				if !slices.Equal(got, want) {
					t.Errorf("%s, records of %d octets, %s: %d lines of %d", tls.VersionName(version), size, test.how, len(got), len(want))
				}
			}
		}
	}
}

// linesInRecords sends a text in records of size octets, and returns the lines that the server has read.
func linesInRecords(t *testing.T, server, client *tls.Config, text string, size int, how string) []string {
	t.Helper()
	lines := make(chan []string, 1)
	_, addr := listen(t, wire.Config{Handle: func(_ context.Context, c *wire.Conn) {
		var got []string
		for {
			line, err := c.ReadLine()
			if err != nil {
				lines <- got
				return
			}
			got = append(got, string(line))
		}
	}}, server)
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	below := &batch{Conn: raw}
	if how == "octet by octet" {
		below.Conn = trickle{raw}
	}
	nc := tls.Client(below, client)
	defer nc.Close()
	if err := nc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	below.hold = how == "at once"
	for text != "" {
		n := min(size, len(text))
		if _, err := io.WriteString(nc, text[:n]); err != nil {
			t.Fatal(err)
		}
		text = text[n:]
	}
	if err := below.flush(); err != nil {
		t.Fatal(err)
	}
	nc.CloseWrite()
	return <-lines
}
