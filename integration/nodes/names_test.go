package nodes

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
)

// names is a name server of this process, with IPv4 addresses by name.
type names struct {
	mu   sync.Mutex
	list map[string]netip.Addr
}

// dns is the name server that this process asks. TestMain sets it up: the drivers of closed stores may still look at
// net.DefaultResolver while the next test runs.
var dns = names{list: map[string]netip.Addr{}}

// serve makes this process ask the name server.
func (n *names) serve() {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go n.answer(far)
		return near, nil
	}}
}

// set gives a name an address; the name ends in a dot.
func (n *names) set(name, address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list[name] = netip.MustParseAddr(address)
}

// answer answers questions as over TCP (RFC 1035 section 4.2.2).
func (n *names) answer(c net.Conn) {
	defer c.Close()
	for {
		var size uint16
		if binary.Read(c, binary.BigEndian, &size) != nil {
			return
		}
		text := make([]byte, size)
		if _, err := io.ReadFull(c, text); err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(text) != nil || len(m.Questions) != 1 {
			return
		}
		m.Response, m.RecursionAvailable, m.RCode, m.Additionals = true, true, dnsmessage.RCodeNameError, nil
		q := m.Questions[0]
		n.mu.Lock()
		address, ok := n.list[q.Name.String()]
		n.mu.Unlock()
		if ok {
			m.RCode = dnsmessage.RCodeSuccess
		}
		if ok && q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type, TTL: 1},
				Body:   &dnsmessage.AResource{A: address.As4()},
			}}
		}
		reply, err := m.Pack()
		if err != nil {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}
