package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// The tests of decide write rows and attempts as text.
//
// A row is "name", "name each" (every datacenter), or "name refused". An attempt is an id ("A1",
// letter of the id and age in minutes; a negative age is ahead of the clock), its datacenter, words
// about its content (lost, each, local by default) and its recipients with their outcomes: "alice?"
// unknown, "alice+" stored, "alice-" unwritten; then "!" if the sender knows of a success and "*" if
// the row reached every datacenter.
//
//	A1 dc1 each alice? bob+!

var decideNow = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func testMailbox(name string) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: name, Domain: "example.test"}, mail.MessageID{})
}

// testID returns the id of a letter; the same letter with the same age gives the same id.
func testID(t *testing.T, letter byte, age time.Duration) mail.MessageID {
	t.Helper()
	at := decideNow.Add(-age)
	source := mail.NewIDSource(func() time.Time { return at })
	id := source.Next()
	id[15] = letter
	for i := 8; i < 15; i++ {
		id[i] = 0x81
	}
	return id
}

func testRows(list []string) []Row {
	var rows []Row
	for _, text := range list {
		words := strings.Fields(text)
		r := Row{Entry: store.Entry{Mailbox: testMailbox(words[0]), Message: mail.Message{Recipient: words[0] + "@example.test"}}}
		if slices.Contains(words, "each") {
			r.Durability = mail.DurabilityEach
		}
		if slices.Contains(words, "refused") {
			r.State, r.Err = Failed, store.ErrUnavailable
		}
		rows = append(rows, r)
	}
	return rows
}

func testAttempt(t *testing.T, text string) store.Attempt {
	t.Helper()
	words := strings.Fields(text)
	var minutes float64
	if _, err := fmt.Sscan(words[0][1:], &minutes); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	a := store.Attempt{
		ID: testID(t, words[0][0], time.Duration(minutes*float64(time.Minute))), Origin: words[1],
		ContentStored: true, ContentSize: int64(words[0][0]),
	}
	for _, word := range words[2:] {
		switch word {
		case "lost":
			a.ContentStored = false
		case "each":
			a.ContentReached = mail.ReachedEach
		default:
			k := strings.IndexAny(word, "?+-")
			r := store.AttemptRecipient{Mailbox: testMailbox(word[:k]), Recipient: strings.ToUpper(word[:k]) + "@EXAMPLE.test"}
			r.Outcome = map[byte]store.AttemptOutcome{'?': store.AttemptUnknown, '+': store.AttemptStored, '-': store.AttemptUnwritten}[word[k]]
			r.Told = strings.Contains(word, "!")
			if strings.Contains(word, "*") {
				r.Reached = mail.ReachedEach
			}
			a.Recipients = append(a.Recipients, r)
		}
	}
	return a
}

// describe writes a plan as "id: rows", with "new" for a new id and a letter for an old one, a row
// as its state, and its doubts as "letter/row", with "=" if a row found counts.
func describe(p Plan, doubts []doubt, names []string) string {
	b := new(strings.Builder)
	b.WriteString("new")
	if !p.ID.IsZero() {
		b.Reset()
		b.WriteByte(p.ID[15])
	}
	b.WriteString(":")
	for i := range p.Rows {
		r := &p.Rows[i]
		b.WriteString(" " + [...]string{"pending", "stored", "known", "unknown", "failed"}[r.State])
		if r.State == KnownBefore && r.Err != nil {
			b.WriteString("(refused)")
		}
		if r.due() {
			b.WriteString("(due)")
		}
		if strings.HasSuffix(r.Message.Recipient, "EXAMPLE.test") {
			b.WriteString("'")
		}
	}
	for _, d := range doubts {
		k := slices.IndexFunc(p.Rows, func(r Row) bool { return r.Mailbox == d.row.Mailbox })
		fmt.Fprintf(b, " %c/%s", d.attempt.ID[15], strings.Fields(names[k])[0])
		if d.counts {
			b.WriteString("=")
		}
	}
	return b.String()
}

func TestDecide(t *testing.T) {
	tests := []struct {
		name     string
		rows     string // by comma
		attempts string // by semicolon
		want     string
	}{
		// One attempt of this datacenter.
		{"unknown", "alice", "A1 dc1 alice?", "A: unknown(due)'"},
		{"unwritten", "alice", "A1 dc1 alice-", "A: pending(due)'"},
		{"stored", "alice", "A1 dc1 alice+", "new: known"},
		{"stored for one", "alice, bob", "A1 dc1 alice+ bob-", "A: known pending(due)'"},
		{"a part of the recipients", "bob", "A1 dc1 alice? bob?", "A: unknown(due)'"},
		{"another recipient", "alice, root", "A1 dc1 alice?", "new: pending(due) pending(due) A/alice="},
		{"another recipient, the first stored", "alice, root", "A1 dc1 alice+", "new: known pending(due)"},

		// Content and removed rows.
		{"content lost", "alice, bob", "A1 dc1 lost alice? bob-", "new: pending(due) pending(due) A/alice"},
		{"content lost, row stored", "alice, bob", "A1 dc1 lost alice+ bob?", "new: known pending(due) A/bob"},

		// The age of the id: half the window, one hour, is the limit.
		{"young", "alice", "A29.99 dc1 alice?", "A: unknown(due)'"},
		{"too old", "alice", "A30 dc1 alice?", "new: pending(due) A/alice="},
		{"too old, stored", "alice", "A30 dc1 alice+", "new: known"},
		{"ahead", "alice", "A-10 dc1 alice?", "A: unknown(due)'"},
		{"too far ahead", "alice", "A-10.01 dc1 alice?", "new: pending(due) A/alice="},

		// Refused recipients.
		{"refused", "alice refused", "A1 dc1 alice?", "new: failed"},
		{"refused, stored", "alice refused", "A1 dc1 alice+", "new: known"},
		{"one refused", "alice refused, bob", "A1 dc1 alice? bob?", "A: failed unknown(due)'"},
		{"one refused, new id", "alice refused, bob", "A1 dc1 lost alice? bob?", "new: failed pending(due) A/bob"},
		{"one refused, not in the attempt", "root refused, bob", "A1 dc1 bob?", "A: failed unknown(due)'"},

		// Several attempts.
		{"two ids, both unknown", "alice", "A1 dc1 alice?; B1 dc1 alice?", "new: pending(due) A/alice= B/alice="},
		{"two ids, one unwritten", "alice", "A1 dc1 alice-; B1 dc1 alice?", "B: unknown(due)'"},
		{"two ids, both unwritten", "alice", "A1 dc1 alice-; B1 dc1 alice-", "A: pending(due)'"},
		{"two ids, one stored", "alice", "A1 dc1 alice?; B1 dc1 alice+", "new: known A/alice="},
		{"two ids, the second young", "alice", "A40 dc1 alice-; B1 dc1 alice-", "B: pending(due)'"},
		{"a rival for another recipient", "alice, bob", "A1 dc1 alice- bob+; B1 dc1 bob?", "new: pending(due) known B/bob="},
		{"a rival for a refused recipient", "alice, bob refused", "A1 dc1 alice-; B1 dc1 bob?", "new: pending(due) failed"},
		{"a rival for nobody here", "alice", "A1 dc1 alice-; B1 dc1 bob? alice-", "A: pending(due)'"},
		{"one id twice", "alice, bob", "A1 dc1 alice? bob-; A1 dc1 alice- bob-", "A: unknown(due)' pending(due)'"},
		{"one id twice, unknown to the second", "alice, bob", "A1 dc1 alice- bob-; A1 dc1 alice? bob-", "A: unknown(due)' pending(due)'"},
		{"one id twice, once without content", "alice", "A1 dc1 alice?; A1 dc1 lost alice?", "new: pending(due) A/alice A/alice"},
		{"one id twice, another whole", "alice", "A1 dc1 alice-; A1 dc1 lost alice-; B1 dc1 alice-", "B: pending(due)'"},

		// Durability: there are two datacenters.
		{"content not everywhere", "alice each", "A1 dc1 alice?", "new: pending(due) A/alice="},
		{"content everywhere", "alice each", "A1 dc1 each alice?", "A: unknown(due)'"},
		{"content not everywhere, for one who is stored", "alice each, bob", "A1 dc1 alice+ bob?", "A: known unknown(due)'"},

		// Another datacenter answers: dc1.
		{"moved, unknown", "alice", "A1 dc2 alice?", "new: pending(due) A/alice"},
		{"moved, stored, not told", "alice", "A1 dc2 alice+", "new: pending(due) A/alice"},
		{"moved, stored and told", "alice, bob", "A1 dc2 alice+! bob-", "new: known pending(due)"},
		{"moved, stored everywhere", "alice, bob", "A1 dc2 each alice+* bob+", "A: known unknown(due)'"},
		{"moved, row everywhere, content not", "alice, bob", "A1 dc2 alice+* bob-", "new: known pending(due)"},
		{"moved, content everywhere", "alice", "A1 dc2 each alice?", "A: unknown(due)'"},
		{"moved, rival", "alice", "A1 dc1 alice-; B1 dc2 alice+", "new: pending(due) B/alice"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			names := strings.Split(test.rows, ", ")
			rows := testRows(names)
			var attempts []store.Attempt
			for text := range strings.SplitSeq(test.attempts, "; ") {
				attempts = append(attempts, testAttempt(t, text))
			}
			before := fmt.Sprintf("%+v %+v", rows, attempts)
			p, doubts := decide(rows, attempts, situation{origin: "dc1", several: true, now: decideNow, window: time.Hour})
			if got := describe(p, doubts, names); got != test.want {
				t.Errorf("%s <- %s\ngot  %s\nwant %s", test.rows, test.attempts, got, test.want)
			}
			if after := fmt.Sprintf("%+v %+v", rows, attempts); after != before {
				t.Errorf("decide changed its arguments:\n%s\n%s", before, after)
			}
			if p.Earlier != attempts[0].ID || !p.Repeated() || p.MaxAge != 30*time.Minute || p.Origin != "dc1" {
				t.Errorf("the plan is %+v", p)
			}
			if !p.ID.IsZero() && p.ContentSize != int64(p.ID[15]) {
				t.Errorf("the content has %d octets, want those of %c", p.ContentSize, p.ID[15])
			}
		})
	}
}

// TestDecideAlone: with one datacenter its content is everywhere.
func TestDecideAlone(t *testing.T) {
	p, doubts := decide(testRows([]string{"alice each"}), []store.Attempt{testAttempt(t, "A1 dc1 alice?")},
		situation{origin: "dc1", now: decideNow, window: time.Hour})
	if got := describe(p, doubts, []string{"alice"}); got != "A: unknown(due)'" {
		t.Errorf("got %s", got)
	}
}

// TestDecideReached: a known row keeps its reach, and an attempt whose content is everywhere belongs
// to the datacenter that answers.
func TestDecideReached(t *testing.T) {
	p, _ := decide(testRows([]string{"alice", "bob"}), []store.Attempt{testAttempt(t, "A1 dc2 each alice+* bob-")},
		situation{origin: "dc1", several: true, now: decideNow, window: time.Hour})
	if p.Rows[0].Reached != mail.ReachedEach || p.ContentReached != mail.ReachedEach || p.reused.Origin != "dc1" {
		t.Errorf("the plan is %+v", p)
	}
}
