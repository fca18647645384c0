package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// peer is a small mail store with a POP3 responder that tests can make misbehave. mailpeer_test.go
// has the SMTP side.
type peer struct {
	mu       sync.Mutex
	boxes    map[string][]stored
	nextUIDL int
	listener net.Listener

	// The defects. All nil: the peer is honest.
	listSize  func(m stored) int64        // instead of the true size
	retr      func(m stored) []byte       // instead of the content
	statBias  int64                       // added to STAT
	afterDele func(p *peer, user string)  // called with the lock held when a QUIT has removed
	loseQUIT  func(user string) (do bool) // close instead of answering QUIT, after removing
	refuse    func(command string) string // a response to give instead, "" for the usual one
}

// stored is a message in a maildrop.
type stored struct {
	uidl string
	text []byte
}

// newPeer starts a peer; it stops with the test.
func newPeer(t *testing.T) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{boxes: make(map[string][]stored), listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.session(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return p
}

// target returns the address of the peer's POP3.
func (p *peer) target() Target { return Target{Addr: p.listener.Addr().String()} }

// add stores text for user and returns its unique-id.
func (p *peer) add(user string, text []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addLocked(user, text)
}

func (p *peer) addLocked(user string, text []byte) string {
	p.nextUIDL++
	m := stored{uidl: fmt.Sprintf("u%d", p.nextUIDL), text: bytes.Clone(text)}
	p.boxes[user] = append(p.boxes[user], m)
	return m.uidl
}

// total returns how many messages there are.
func (p *peer) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, box := range p.boxes {
		n += len(box)
	}
	return n
}

// size is the size in LIST.
func (p *peer) size(m stored) int64 {
	if p.listSize != nil {
		return p.listSize(m)
	}
	return int64(len(m.text))
}

// session answers one client. Each password is "secret".
func (p *peer) session(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	out := bufio.NewWriter(conn)
	var user string
	var box []stored
	marked := make(map[string]bool)
	fmt.Fprint(out, "+OK ready\r\n")
	out.Flush()
	for in.Scan() {
		line := strings.TrimSuffix(in.Text(), "\r")
		verb, arguments, _ := strings.Cut(line, " ")
		if p.refuse != nil {
			if r := p.refuse(line); r != "" {
				if r == "close" {
					return
				}
				fmt.Fprintf(out, "%s\r\n", r)
				out.Flush()
				continue
			}
		}
		var m stored
		first, _, _ := strings.Cut(arguments, " ")
		if n, err := strconv.Atoi(first); err == nil && n >= 1 && n <= len(box) {
			m = box[n-1]
		}
		switch verb {
		case "USER":
			user = arguments
			fmt.Fprint(out, "+OK\r\n")
		case "PASS":
			if arguments != "secret" {
				fmt.Fprint(out, "-ERR [AUTH] no\r\n")
				break
			}
			p.mu.Lock()
			box = slices.Clone(p.boxes[user])
			p.mu.Unlock()
			fmt.Fprint(out, "+OK\r\n")
		case "STAT":
			sum := p.statBias
			for _, m := range box {
				sum += p.size(m)
			}
			fmt.Fprintf(out, "+OK %d %d\r\n", len(box), sum)
		case "LIST", "UIDL":
			fmt.Fprint(out, "+OK\r\n")
			for i, m := range box {
				if verb == "LIST" {
					fmt.Fprintf(out, "%d %d\r\n", i+1, p.size(m))
				} else {
					fmt.Fprintf(out, "%d %s\r\n", i+1, m.uidl)
				}
			}
			fmt.Fprint(out, ".\r\n")
		case "RETR", "TOP":
			text := m.text
			if p.retr != nil {
				text = p.retr(m)
			}
			if verb == "TOP" {
				head, _, _ := bytes.Cut(text, []byte("\r\n\r\n"))
				text = append(bytes.Clone(head), "\r\n\r\n"...)
			}
			fmt.Fprint(out, "+OK\r\n")
			out.Write(append(appendStuffed(nil, text), ".\r\n"...))
		case "DELE":
			marked[m.uidl] = true
			fmt.Fprint(out, "+OK\r\n")
		case "QUIT":
			lost := p.quit(user, marked)
			if lost {
				return
			}
			fmt.Fprint(out, "+OK bye\r\n")
			out.Flush()
			return
		default:
			fmt.Fprint(out, "-ERR what\r\n")
		}
		out.Flush()
	}
}

// quit removes the marked messages.
func (p *peer) quit(user string, marked map[string]bool) (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var left []stored
	for _, m := range p.boxes[user] {
		if !marked[m.uidl] {
			left = append(left, m)
		}
	}
	p.boxes[user] = left
	if p.afterDele != nil && len(marked) > 0 {
		p.afterDele(p, user)
	}
	return p.loseQUIT != nil && p.loseQUIT(user)
}

// logins returns n users of a peer.
func logins(n int) []Login {
	var all []Login
	for i := range n {
		all = append(all, Login{Name: fmt.Sprintf("user%d@example.test", i+1), Password: "secret"})
	}
	return all
}

// userNames returns the names of logins(n).
func userNames(n int) []string {
	var names []string
	for _, l := range logins(n) {
		names = append(names, l.Name)
	}
	return names
}
