package admin

import (
	"errors"
	"testing"

	"popelago/store"
)

func TestPeerAddresses(t *testing.T) {
	p := newPeers(Peers{Hosts: []string{"mx1.example.org", ".pop.example.org", "10.1.0.0/16", "2001:db8::5", "192.0.2.7"}})
	for url, want := range map[string]error{
		"https://mx1.example.org:8080":         nil,
		"https://MX1.example.org.":             nil,
		"https://a.pop.example.org":            nil,
		"https://pop.example.org":              errNotAllowed,
		"https://evilpop.example.org":          errNotAllowed,
		"https://mx1.example.org.evil.example": errNotAllowed,
		"https://mx1.example.org@evil.example": errNotAllowed,
		"https://10.1.2.3:80":                  nil,
		"https://10.2.0.1":                     errNotAllowed,
		"https://10.1.evil.example":            errNotAllowed,
		"https://[2001:db8::5]:8080":           nil,
		"https://[2001:db8::6]":                errNotAllowed,
		"http://192.0.2.7":                     errPlain,
		"http://127.0.0.1":                     errNotAllowed,
		"http://mx1.example.org":               errPlain,
		"HTTP://mx1.example.org":               errPlain,
		"":                                     errNoAddress,
		"https://%":                            errNoAddress,
	} {
		c, err := p.client(store.Server{Admin: url}, "secret")
		if !errors.Is(err, want) || (c == nil) != (want != nil) {
			t.Errorf("%s: %v, want %v", url, err, want)
		}
	}
	if _, err := newPeers(Peers{}).client(store.Server{Admin: "https://mx1.example.org"}, "secret"); !errors.Is(err, errNotAllowed) {
		t.Errorf("without a list: %v", err)
	}
	plain := newPeers(Peers{Hosts: []string{"127.0.0.1", "localhost"}})
	if _, err := plain.client(store.Server{Admin: "http://127.0.0.1:1"}, "secret"); err != nil {
		t.Errorf("loopback: %v", err)
	}
	if _, err := plain.client(store.Server{Admin: "http://localhost:1"}, "secret"); !errors.Is(err, errPlain) {
		t.Errorf("a name for loopback: %v", err)
	}
	if _, err := plain.client(store.Server{Admin: "http://127.0.0.1:1"}, ""); !errors.Is(err, errNoSecret) {
		t.Errorf("without a token: %v", err)
	}
}
