package bench

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// Each defect of a server must be found, and be called by its name, once.
func TestVerifyFinds(t *testing.T) {
	const user = "user1@example.test"
	for _, c := range []struct {
		name string
		// before runs between the delivery and a first Verify, which must find nothing; after runs
		// before the second one.
		before func(t *testing.T, p *peer, j *Journal)
		after  func(p *peer)
		want   map[Violation]int64
	}{
		{"nothing wrong", nil, func(*peer) {}, nil},
		{"a message lost", nil, func(p *peer) {
			p.boxes[user] = p.boxes[user][1:]
		}, map[Violation]int64{Lost: 1}},
		{"a maildrop lost", nil, func(p *peer) {
			delete(p.boxes, user)
		}, map[Violation]int64{Lost: 10}},
		{"a message doubled", nil, func(p *peer) {
			p.addLocked(user, p.boxes[user][3].text)
		}, map[Violation]int64{Duplicated: 1}},
		{"a removed message back", drainHalf, func(p *peer) {
			p.boxes["user2@example.test"] = removedByDrain
		}, map[Violation]int64{Resurrected: 10}},
		{"a removed message back under another unique-id", drainHalf, func(p *peer) {
			p.addLocked("user2@example.test", removedByDrain[0].text)
		}, map[Violation]int64{Resurrected: 1}},
		{"an octet changed", nil, func(p *peer) {
			p.retr = func(m stored) []byte {
				return bytes.Replace(m.text, []byte("part 1 of"), []byte("part 1 0f"), 1)
			}
		}, map[Violation]int64{Altered: 20}},
		{"the end missing", nil, func(p *peer) {
			p.retr = func(m stored) []byte { return m.text[:len(m.text)-2] }
		}, nil}, // see below: breaks the text itself
		{"a line more at the end", nil, func(p *peer) {
			p.retr = func(m stored) []byte { return append(bytes.Clone(m.text), "\r\n"...) }
		}, map[Violation]int64{Altered: 20, SizeWrong: 20}},
		{"two messages mixed up", nil, func(p *peer) {
			b := p.boxes[user]
			b[0].text, b[1].text = b[1].text, b[0].text
		}, map[Violation]int64{UIDLReused: 2}},
		{"sizes too small", nil, func(p *peer) {
			p.listSize = func(m stored) int64 { return int64(len(m.text)) - 1 }
		}, map[Violation]int64{SizeWrong: 20}},
		{"a wrong sum", nil, func(p *peer) { p.statBias = 1 }, map[Violation]int64{SizeWrong: 2}},
		{"another unique-id", nil, func(p *peer) {
			p.boxes[user][0].uidl = "other"
		}, map[Violation]int64{UIDLChanged: 1}},
		{"unique-ids that are not allowed", nil, func(p *peer) {
			p.boxes[user][0].uidl = "with blank"
			p.boxes[user][1].uidl = strings.Repeat("x", 256)
			p.boxes[user][2].uidl = ""
		}, map[Violation]int64{UIDLInvalid: 3, UIDLChanged: 3}},
		{"a long unique-id from elsewhere", nil, func(p *peer) {
			p.boxes[user][0].uidl = strings.Repeat("x", 255)
		}, map[Violation]int64{UIDLChanged: 1}},
		{"a unique-id twice", nil, func(p *peer) {
			p.boxes[user][0].uidl = p.boxes[user][1].uidl
		}, nil}, // see below: further findings may vary
		{"another user's message", nil, func(p *peer) {
			p.addLocked(user, p.boxes["user2@example.test"][0].text)
		}, map[Violation]int64{Misdelivered: 1}},
		{"listed and not readable", nil, func(p *peer) {
			p.refuse = func(command string) string {
				if command == "RETR 1" {
					return "-ERR [SYS/TEMP] no"
				}
				return ""
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			m := newMailPeer(t, p, LMTP)
			j, path := journalIn(t)
			_, err := Deliver(t.Context(), DeliverConfig{
				Target: Target{Addr: m.addr}, Users: userNames(2), Count: 20, Messages: Messages{Size: 3000, Awkward: 0.2}, Journal: j,
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(t, p, j)
			}
			if f := verified(t, p, 2, path); f.Failures() != 0 {
				t.Fatalf("an honest server: %v", f.Violations)
			}
			p.mu.Lock()
			c.after(p)
			p.mu.Unlock()
			switch c.name {
			case "the end missing":
				// Without its last CRLF the text has no final dot on a line of its own. The session
				// breaks, which must not count as success.
				cfg := VerifyConfig{Target: p.target(), Logins: logins(2), Journal: path}
				cfg.Target.Timeout = 100 * time.Millisecond
				if _, err := Verify(t.Context(), cfg); err == nil {
					t.Fatal("no error")
				}
				return
			case "a unique-id twice":
				if f := verified(t, p, 2, path); f.Violations[UIDLInvalid] != 1 {
					t.Fatalf("found %v", f.Violations)
				}
				return
			case "listed and not readable":
				if f := verified(t, p, 2, path); f.Violations[Unreadable] != 2 {
					t.Fatalf("found %v", f.Violations)
				}
				return
			}
			f := verified(t, p, 2, path)
			if len(f.Violations) != len(c.want) {
				t.Fatalf("found %v, want %v\n%v", f.Violations, c.want, f.Examples)
			}
			for kind, n := range c.want {
				if f.Violations[kind] != n {
					t.Fatalf("found %v, want %v\n%v", f.Violations, c.want, f.Examples)
				}
			}
		})
	}
}

// removedByDrain holds the messages that the last drainHalf removed.
var removedByDrain []stored

// drainHalf removes the messages of user2 and records it in the journal.
func drainHalf(t *testing.T, p *peer, j *Journal) {
	p.mu.Lock()
	removedByDrain = slices.Clone(p.boxes["user2@example.test"])
	p.mu.Unlock()
	if _, err := Drain(t.Context(), DrainConfig{Target: p.target(), Logins: logins(2)[1:], NoRetr: true, Journal: j}); err != nil {
		t.Fatal(err)
	}
}

// The rules of judge, by journal and maildrop.
func TestJudge(t *testing.T) {
	const tok = "b-1-1-1000-p"
	for _, c := range []struct {
		name    string
		journal string
		present string // unique-ids
		want    Findings
	}{
		{"taken, there", "I T m\nA T m\n", "a", Findings{Acknowledged: 1}},
		{"taken, not there", "I T m\nA T m\n", "", Findings{Acknowledged: 1, Violations: map[Violation]int64{Lost: 1}}},
		{"unknown, there", "I T m\nU T m lost\n", "a", Findings{UnknownPresent: 1}},
		{"unknown, not there", "I T m\n", "", Findings{UnknownAbsent: 1}},
		{"unknown, twice there", "I T m\n", "a b", Findings{UnknownPresent: 1, Violations: map[Violation]int64{Duplicated: 1}}},
		{"unknown, then taken: once", "I T m\nI T m\nA T m\n", "a", Findings{Acknowledged: 1}},
		{"unknown, then taken: twice", "I T m\nI T m\nA T m\n", "a b", Findings{Acknowledged: 1, UnknownDuplicates: 1}},
		{"unknown, then taken: three times", "I T m\nI T m\nA T m\n", "a b c", Findings{Acknowledged: 1, UnknownDuplicates: 1, Violations: map[Violation]int64{Duplicated: 1}}},
		{"refused, there", "I T m\nR T m 550\n", "a", Findings{Violations: map[Violation]int64{NotTaken: 1}}},
		{"refused, not there", "I T m\nR T m 550\n", "", Findings{}},
		{"removed", "I T m\nA T m\nD s m a T\nQ s ok\n", "", Findings{Acknowledged: 1, Removed: 1}},
		{"removed, back", "I T m\nA T m\nD s m a T\nQ s ok\n", "a", Findings{Acknowledged: 1, Removed: 1, Violations: map[Violation]int64{Resurrected: 1}}},
		{"removed, back as another", "I T m\nA T m\nD s m a T\nQ s ok\n", "b", Findings{Acknowledged: 1, Removed: 1, Violations: map[Violation]int64{Resurrected: 1}}},
		{"removed one of two", "I T m\nI T m\nA T m\nD s m a T\nQ s ok\n", "b", Findings{Acknowledged: 1, Removed: 1, UnknownDuplicates: 1}},
		{"QUIT unknown, gone", "I T m\nA T m\nD s m a T\n", "", Findings{Acknowledged: 1, UnknownRemovals: 1}},
		{"QUIT failed, there", "I T m\nA T m\nD s m a T\nQ s failed\n", "a", Findings{Acknowledged: 1, UnknownRemovals: 1, UnknownRemovalsPresent: 1}},
		{"QUIT never sent, gone", "I T m\nA T m\nS m a T\nD s m a T\nQ s none\n", "", Findings{Acknowledged: 1, Violations: map[Violation]int64{Lost: 1}}},
		{"removed at the second try", "I T m\nA T m\nD s m a T\nQ s failed\nD r m a T\nQ r ok\n", "a", Findings{Acknowledged: 1, Removed: 1, Violations: map[Violation]int64{Resurrected: 1}}},
		{"seen, another id", "I T m\nA T m\nS m a T\n", "b", Findings{Acknowledged: 1, Violations: map[Violation]int64{UIDLChanged: 1}}},
		{"seen, never taken, gone", "I T m\nS m a T\n", "", Findings{UnknownVanished: 1, UnknownAbsent: 1}},
		{"not in the journal", "S m z -\n", "a", Findings{Foreign: 1}},
		{"not ours, removed, back", "D s m a -\nQ s ok\n", "a", Findings{Foreign: 1, Removed: 1, Violations: map[Violation]int64{Resurrected: 1}}},
		{"another mailbox's", "I T n\nA T n\n", "a", Findings{Violations: map[Violation]int64{Misdelivered: 1}}},
		{"half a record at the end", "I T m\nA T m\nA T", "a", Findings{Acknowledged: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := parseLedger(strings.NewReader(journalHeader + "\n" + strings.ReplaceAll(c.journal, "T", tok)))
			if err != nil {
				t.Fatal(err)
			}
			id, err := parseToken(tok)
			if err != nil {
				t.Fatal(err)
			}
			var present []listed
			for _, uidl := range strings.Fields(c.present) {
				present = append(present, listed{uidl: uidl, token: id, ours: true})
			}
			var got Findings
			got.judge(l, "m", present)
			got.Examples = nil
			if g, w := summary(&got), summary(&c.want); g != w {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

// summary returns findings in a comparable form.
func summary(f *Findings) string {
	var b strings.Builder
	f.write(&b, false)
	return b.String()
}

func TestLedgerErrors(t *testing.T) {
	for _, in := range []string{"hello\n", journalHeader + "\nX y\n", journalHeader + "\nA b-1-1-1000-p\n", journalHeader + "\nA token m\n", journalHeader + "\n\n"} {
		if _, err := parseLedger(strings.NewReader(in)); err == nil {
			t.Errorf("parseLedger(%q): no error", in)
		}
	}
}

// A mailbox of the journal that cannot be read must not count as good.
func TestVerifyNeedsAllMailboxes(t *testing.T) {
	p := newPeer(t)
	m := newMailPeer(t, p, LMTP)
	j, path := journalIn(t)
	if _, err := Deliver(t.Context(), DeliverConfig{Target: Target{Addr: m.addr}, Users: userNames(3), Count: 3, Journal: j}); err != nil {
		t.Fatal(err)
	}
	_, err := Verify(t.Context(), VerifyConfig{Target: p.target(), Logins: logins(2), Journal: path})
	if err == nil || !strings.Contains(err.Error(), "user3@example.test") {
		t.Errorf("error %v, want one that names user3", err)
	}
}
