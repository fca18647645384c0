package servertest

import (
	"bytes"
	"regexp"
	"testing"

	"popelago/mailtest"
)

// Awkward is a message of the corpus in its maildrop.
type Awkward struct {
	mailtest.Message
	Octets []byte // as RETR sends them, with the trace header
}

// Sender returns the reverse-path that marks a message of the corpus: it comes back in the
// Return-Path line.
func Sender(name string) string { return "corpus-" + name + "@sender.example" }

var senderMark = regexp.MustCompile(`corpus-([A-Za-z0-9-]+)@sender\.example`)

// DeliverCorpus delivers the corpus, each message to the accounts that want it.
func (s *Server) DeliverCorpus(t testing.TB, to map[Account]func(mailtest.Message) bool) {
	t.Helper()
	c := s.LMTPSession(t)
	defer c.Close()
	for _, m := range mailtest.Corpus() {
		var accounts []Account
		for a, wants := range to {
			if wants(m) {
				accounts = append(accounts, a)
			}
		}
		switch {
		case len(accounts) == 0:
		case m.NoFinalCRLF:
			sendBDAT(t, c, Sender(m.Name), accounts, bytes.TrimSuffix(m.Octets(), []byte("\r\n")))
		default:
			Send(t, c, Sender(m.Name), accounts, m.Octets())
		}
	}
	c.Do("QUIT", "221")
}

// CorpusOf reads a maildrop with the corpus, by name, and checks that every message is our trace
// header followed by exactly the accepted octets. sent holds the octets of messages, by name, that
// a program changes when it sends them; nil: none.
func (s *Server) CorpusOf(t testing.TB, a Account, sent map[string]string) map[string]Awkward {
	t.Helper()
	corpus := map[string]mailtest.Message{}
	for _, m := range mailtest.Corpus() {
		corpus[m.Name] = m
	}
	got := map[string]Awkward{}
	for _, m := range s.Maildrop(t, a) {
		name := Mark(m.Octets)
		content, ok := corpus[name]
		octets, changed := sent[name]
		if !changed {
			octets = content.Gap + string(content.Octets())
		}
		want := "Return-Path: <" + Sender(name) + ">\r\nDelivered-To: " + a.Address + "\r\nReceived: from "
		switch {
		case !ok:
			t.Errorf("a message that nobody sent: %.200q", m.Octets)
		case !bytes.HasPrefix(m.Octets, []byte(want)):
			t.Errorf("%s begins %.200q, want %q", name, m.Octets, want)
		case !bytes.HasSuffix(m.Octets, []byte(" +0000\r\n"+octets)):
			t.Errorf("%s ends in %.200q, want our Received line, %q, and the octets that were sent", name, m.Octets[max(0, len(m.Octets)-200):], content.Gap)
		}
		got[name] = Awkward{content, m.Octets}
	}
	return got
}

// Mark finds the name of a message of the corpus.
func Mark(octets []byte) string {
	if m := senderMark.FindSubmatch(octets); m != nil {
		return string(m[1])
	}
	return ""
}
