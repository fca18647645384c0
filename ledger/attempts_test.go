package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// describeAttempt writes an attempt in the form of the tests of decide, without age: "A dc1 alice?".
func describeAttempt(a store.Attempt, names map[mail.MailboxID]string) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "%c %s", a.ID[15], a.Origin)
	if !a.ContentStored {
		b.WriteString(" lost")
	}
	if a.ContentReached == mail.ReachedEach {
		b.WriteString(" each")
	}
	for _, r := range a.Recipients {
		b.WriteString(" " + names[r.Mailbox])
		b.WriteByte("-?+"[r.Outcome])
		if r.Told {
			b.WriteString("!")
		}
		if r.Reached == mail.ReachedEach {
			b.WriteString("*")
		}
	}
	return b.String()
}

// TestAttempts: the knowledge of a delivery that its sender may repeat.
func TestAttempts(t *testing.T) {
	states := map[string]State{"pending": Pending, "stored": Stored, "known": KnownBefore, "unknown": Unknown, "failed": Failed}
	tests := []struct {
		name    string
		rows    string
		before  string // attempts that the delivery repeats
		outcome string // states of the rows; N: written under the new id N; lost, each: of the content
		told    string // attempts if the sender knows of every success
		untold  string // attempts if not; the same if empty
	}{
		{"stored", "alice", "", "stored N", "N dc1 alice+!", "N dc1 alice+"},
		{"nothing written", "alice", "", "failed", "", ""},
		{"in part", "alice, bob", "", "stored failed N", "N dc1 alice+! bob-", "N dc1 alice+ bob-"},
		{"unknown", "alice, bob", "", "unknown stored N", "N dc1 alice? bob+!", "N dc1 alice? bob+"},
		{"rows removed", "alice", "", "unknown N lost", "N dc1 lost alice?", ""},
		{"everywhere", "alice", "", "stored N each", "N dc1 each alice+!", "N dc1 each alice+"},
		{"refused", "alice refused, bob", "", "failed stored N", "N dc1 bob+!", "N dc1 bob+"},

		{"under the old id", "alice, bob", "A1 dc1 alice? bob-", "stored unknown", "A dc1 alice+! bob?", "A dc1 alice+ bob?"},
		{"under the old id, failed", "alice", "A1 dc1 alice-", "failed", "A dc1 alice-", ""},
		{"under the old id, removed", "alice", "A1 dc1 alice?", "failed lost", "A dc1 lost alice-", ""},
		{"a part of the old ones", "bob", "A1 dc1 alice? bob?", "stored", "A dc1 alice? bob+!", "A dc1 alice? bob+"},
		{"known before", "alice, bob", "A1 dc1 alice+ bob-", "known stored", "A dc1 alice+! bob+!", "A dc1 alice+ bob+"},
		{"known, then moved", "alice, bob", "A1 dc1 alice+ bob-", "unknown unknown lost", "A dc1 lost alice+ bob?", ""},
		{"refused, unknown before", "alice refused, bob", "A1 dc1 alice? bob?", "failed stored", "A dc1 alice? bob+!", "A dc1 alice? bob+"},
		{"told before", "alice, bob", "A1 dc1 alice+! bob?", "known unknown", "A dc1 alice+! bob?", "A dc1 alice+ bob?"},

		{"a new id", "alice, root", "A40 dc1 alice-", "stored stored N", "A dc1 alice-! | N dc1 alice+! root+!", "A dc1 alice- | N dc1 alice+ root+"},
		{"two old ids", "alice", "A1 dc1 alice-; B1 dc1 alice?", "stored", "A dc1 alice-! | B dc1 alice+!", "A dc1 alice- | B dc1 alice+"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			names := map[mail.MailboxID]string{}
			for _, name := range []string{"alice", "bob", "root"} {
				names[testMailbox(name)] = name
			}
			rows := testRows(strings.Split(test.rows, ", "))
			p := Plan{Origin: "dc1", Rows: rows}
			if test.before != "" {
				var before []store.Attempt
				for text := range strings.SplitSeq(test.before, "; ") {
					before = append(before, testAttempt(t, text))
				}
				p, _ = decide(rows, before, situation{origin: "dc1", several: true, now: decideNow, window: time.Hour})
			}
			for i := range p.Rows {
				if p.Rows[i].due() {
					p.Due = append(p.Due, i)
				}
			}
			o := Outcome{Plan: p, Part: Part{ID: p.ID, ContentStored: true, ContentReached: p.ContentReached}}
			i := 0
			for word := range strings.FieldsSeq(test.outcome) {
				switch word {
				case "N":
					o.ID = testID(t, 'N', 0)
				case "lost":
					o.ContentStored = false
				case "each":
					o.ContentReached = mail.ReachedEach
				default:
					r := &p.Rows[i]
					if r.State, r.Err = states[word], nil; r.State == Unknown || r.State == Failed {
						r.Err = store.ErrUnavailable
					}
					i++
				}
			}
			for acknowledged, want := range map[bool]string{true: test.told, false: test.untold} {
				if !acknowledged && want == "" {
					want = test.told
				}
				before := describeEarlier(p, names)
				var got []string
				for _, a := range attempts(o, acknowledged) {
					got = append(got, describeAttempt(a, names))
				}
				if after := describeEarlier(p, names); after != before {
					t.Errorf("the plan had %s, and has %s", before, after)
				}
				if got := strings.Join(got, " | "); got != want {
					t.Errorf("%s <- %s: %s, acknowledged %t\ngot  %s\nwant %s", test.rows, test.before, test.outcome, acknowledged, got, want)
				}
			}
		})
	}
}

// describeEarlier writes the attempts that a delivery repeats.
func describeEarlier(p Plan, names map[mail.MailboxID]string) string {
	var all []string
	for _, e := range p.earlier {
		all = append(all, describeAttempt(e.Attempt, names))
	}
	return strings.Join(all, " | ")
}

// TestNeeded: the ledger drops an attempt that no repetition needs.
func TestNeeded(t *testing.T) {
	for text, want := range map[string]bool{
		"A1 dc1 alice+": true, "A1 dc1 alice?": true, "A1 dc1 alice? bob+!": true, "A1 dc1 alice+! bob+": true,
		"A1 dc1 alice-": false, "A1 dc1 alice+!": false, "A1 dc1 alice- bob+!": false, "A1 dc1": false,
	} {
		if got := needed(testAttempt(t, text)); got != want {
			t.Errorf("%s: %t, want %t", text, got, want)
		}
	}
}
