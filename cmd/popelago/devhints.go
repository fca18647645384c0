package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"path/filepath"
)

// devHints holds the hints of "serve --dev": commands to copy, without any change.
type devHints struct {
	users       []devUser
	dataDir     string
	certificate string
	addrs       map[string][]net.Addr
}

func (h devHints) print(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\nPopelago is running, with its data in %s. Ctrl-C stops it.\n", h.dataDir)
	if len(h.users) == 0 {
		fmt.Fprintf(&b, "The accounts made at the first start are gone. To make one:\n\n"+
			"  popelago account add NAME@%s --data %s\n", devDomain, shellWord(h.dataDir))
	} else {
		h.printSend(&b)
		h.printFetch(&b)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// passwordFile is the path of the file with the passwords.
func (h devHints) passwordFile() string { return filepath.Join(h.dataDir, devPasswords) }

func (h devHints) printSend(b *bytes.Buffer) {
	smtp := h.addr("smtp")
	if smtp == nil {
		return
	}
	to := h.users[0].address.String()
	from := h.users[len(h.users)-1].address.String()
	fmt.Fprintf(b, "\nSend a message to %s, with curl or with swaks:\n\n", to)
	fmt.Fprintf(b, "  printf 'From: %s\\nTo: %s\\nSubject: Hello\\n\\nHello from Popelago.\\n' |\n"+
		"    curl -sS --crlf smtp://%s --mail-from %s --mail-rcpt %s -T -\n\n", from, to, smtp, from, to)
	fmt.Fprintf(b, "  swaks --server %s --port %d --from %s --to %s\n", swaksHost(smtp.IP), smtp.Port, from, to)
}

func (h devHints) printFetch(b *bytes.Buffer) {
	user := h.users[0].address.String()
	fmt.Fprintf(b, "\nThe passwords are in %s. ", h.passwordFile())
	login := fmt.Sprintf(`-u "%s:$(sed -n 's/^%s //p' %s)"`, user, user, shellWord(h.passwordFile()))
	cert := "--cacert " + shellWord(h.certificate)
	if pop3s := h.addr("pop3s"); pop3s != nil {
		fmt.Fprintf(b, "List the messages of %s, and fetch the first:\n\n", user)
		fmt.Fprintf(b, "  curl -sS %s %s pop3s://%s/\n", cert, login, pop3s)
		fmt.Fprintf(b, "  curl -sS %s %s pop3s://%s/1\n", cert, login, pop3s)
	}
	if pop3 := h.addr("pop3"); pop3 != nil {
		fmt.Fprintf(b, "\nThe same with STLS:\n\n  curl -sS --ssl-reqd %s %s pop3://%s/1\n", cert, login, pop3)
	}
}

// addr returns the address of a service for a client on this machine; nil if the service is off.
// The certificate is valid for the loopback addresses.
func (h devHints) addr(service string) *net.TCPAddr {
	if len(h.addrs[service]) == 0 {
		return nil
	}
	at, ok := h.addrs[service][0].(*net.TCPAddr)
	if !ok {
		return nil
	}
	if at.IP.IsUnspecified() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.Port}
	}
	return at
}

func swaksHost(ip net.IP) string {
	if ip.To4() == nil {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}
