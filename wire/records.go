package wire

import (
	"encoding/binary"
	"net"
)

// recordHeader is the length of the header of a TLS record: a type, a version, and the length of the rest (RFC 8446
// section 5.1). TLS 1.2 has the same header.
const recordHeader = 5

// records is the connection below a TLS connection. It hands out no octet beyond the present record. So TLS holds no
// input between two records, and await can wait for the next record in place of TLS: the calls inside TLS need more
// stack than a session that waits for a command should have.
//
// One goroutine reads at a time.
type records struct {
	net.Conn
	header [recordHeader]byte
	got    int   // octets of the header that were received
	given  int   // octets of the header that Read has returned
	left   int   // octets of the record behind the header that Read has not returned
	err    error // of await, for the next Read
}

// await waits for the begin of the next record, if no record is in progress. The next Read returns the error, if any.
func (r *records) await() {
	if r.ended() {
		r.got, r.given = 0, 0
	}
	if r.got == 0 && r.err == nil {
		r.got, r.err = r.Conn.Read(r.header[:])
	}
}

// ended reports whether Read has returned a whole record.
func (r *records) ended() bool { return r.given == recordHeader && r.left == 0 }

// Read implements net.Conn.
func (r *records) Read(p []byte) (int, error) {
	if r.ended() {
		r.got, r.given = 0, 0
	}
	if r.given == recordHeader {
		n, err := r.Conn.Read(p[:min(len(p), r.left)])
		r.left -= n
		return n, err
	}
	if r.given == r.got {
		err := r.err
		r.err = nil
		if err == nil {
			var n int
			n, err = r.Conn.Read(r.header[r.got:])
			r.got += n
		}
		if r.given == r.got {
			return 0, err
		}
		r.err = err
	}
	n := copy(p, r.header[r.given:r.got])
	if r.given += n; r.given == recordHeader {
		r.left = int(binary.BigEndian.Uint16(r.header[3:]))
	}
	return n, nil
}
