package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// ledger holds the records of a journal, by mailbox.
type ledger map[string]*account

// account holds the records of a journal about one mailbox.
type account struct {
	sent  map[token]*sending
	known map[string]*sighting // by UIDL
}

// sending counts the outcomes of the attempts to deliver a message to a mailbox.
type sending struct {
	attempts, taken, refused int
}

// unknown returns how many attempts may have stored a copy without an acknowledgement.
func (s *sending) unknown() int { return max(0, s.attempts-s.taken-s.refused) }

// sighting is a unique-id that a session has seen.
type sighting struct {
	token    string // "-" for a message of other origin, or one not read
	removed  bool   // marked, and QUIT was answered with +OK
	mayBeOut bool   // marked, and QUIT had another answer or none
}

// mark is a message marked in a session whose QUIT is not known yet.
type mark struct {
	account     *account
	uidl, token string
}

// readLedger reads the journal at path.
func readLedger(path string) (ledger, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: open journal: %w", err)
	}
	defer f.Close()
	l, err := parseLedger(f)
	if err != nil {
		return nil, fmt.Errorf("bench: journal %s: %w", path, err)
	}
	return l, nil
}

// parseLedger reads a journal. It ignores an incomplete last line, which a killed generator leaves.
func parseLedger(r io.Reader) (ledger, error) {
	l := make(ledger)
	sessions := make(map[string][]mark)
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == journalHeader {
			continue
		}
		if n == 1 {
			return nil, fmt.Errorf("not a journal: the first line is not %q", journalHeader)
		}
		if err := l.record(strings.Split(line, " "), sessions); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	for _, marks := range sessions {
		resolve(marks, "unknown")
	}
	return l, nil
}

// record adds one record; see Journal for the form.
func (l ledger) record(f []string, sessions map[string][]mark) error {
	want := map[string]int{"I": 3, "A": 3, "R": 3, "U": 3, "S": 4, "D": 5, "Q": 3}[f[0]]
	if want == 0 || len(f) < want {
		return fmt.Errorf("not a record: %q", strings.Join(f, " "))
	}
	switch f[0] {
	case "I", "A", "R", "U":
		t, err := parseToken(f[1])
		if err != nil {
			return fmt.Errorf("token %q: %w", f[1], err)
		}
		switch f[0] {
		case "I":
			for _, mailbox := range f[2:] {
				l.account(mailbox).sending(t).attempts++
			}
		case "A":
			l.account(f[2]).sending(t).taken++
		case "R":
			l.account(f[2]).sending(t).refused++
		}
	case "S":
		l.account(f[1]).sighting(f[2], f[3])
	case "D":
		sessions[f[1]] = append(sessions[f[1]], mark{l.account(f[2]), f[3], f[4]})
	case "Q":
		resolve(sessions[f[1]], f[2])
		delete(sessions, f[1])
	}
	return nil
}

// resolve adds the marks of a session after the result of its QUIT.
func resolve(marks []mark, result string) {
	for _, m := range marks {
		s := m.account.sighting(m.uidl, m.token)
		switch result {
		case "ok":
			s.removed = true
		case "none":
		default:
			s.mayBeOut = true
		}
	}
}

// account returns the account of a mailbox, and makes a missing one.
func (l ledger) account(mailbox string) *account {
	a := l[mailbox]
	if a == nil {
		a = &account{sent: make(map[token]*sending), known: make(map[string]*sighting)}
		l[mailbox] = a
	}
	return a
}

// sending returns the counts for t, new ones if need be.
func (a *account) sending(t token) *sending {
	s := a.sent[t]
	if s == nil {
		s = &sending{}
		a.sent[t] = s
	}
	return s
}

// sighting returns the sighting of uidl. A known token stays.
func (a *account) sighting(uidl, token string) *sighting {
	s := a.known[uidl]
	if s == nil {
		s = &sighting{token: token}
		a.known[uidl] = s
	} else if s.token == "-" {
		s.token = token
	}
	return s
}
