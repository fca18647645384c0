package cassandra_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// The statement budget of docs/multi-datacenter.md, counted as the driver reports statements.
func TestStatementBudget(t *testing.T) {
	cfg := config(t)
	cfg.Window = time.Hour
	s := open(t, cfg)
	a := mail.Address{Local: "alice", Domain: "example.test"}
	mb, other := mailbox("alice"), mailbox("bob")
	message := func() mail.Message { return mail.Message{ID: ids.Next(), Size: 10, Recipient: a.String()} }
	const chunk = 256 << 10
	var large, small mail.Message
	var many []mail.Message
	checkBudget(t, []operation{
		{"deliver 1 recipient, 256 KiB", nil, func() error {
			small = message()
			put(t, s, small.ID, chunk, mb)
			add(t, s, mb, small)
			return nil
		}, 2, 0},
		{"deliver 3 recipients", nil, func() error {
			m := message()
			put(t, s, m.ID, 8<<10, mb, other, mailbox("carol"))
			for _, err := range s.AddMessages(t.Context(), []store.Entry{{Mailbox: mb, Message: m}, {Mailbox: other, Message: m}, {Mailbox: mailbox("carol"), Message: m}}) {
				if err != nil {
					return err
				}
			}
			return nil
		}, 4, 0},
		{"deliver 1 MiB and an octet", nil, func() error {
			large = message()
			put(t, s, large.ID, 4*chunk+1, mb)
			add(t, s, mb, large)
			return nil
		}, 6, 0},
		{"first login", nil, func() error { _, err := list(t.Context(), s, mb); return err }, 0, 2},
		{"login", nil, func() error { _, err := list(t.Context(), s, mb); return err }, 0, 1},
		{"RETR 256 KiB", nil, func() error { return retrieve(t, s, small.ID, chunk) }, 0, 1},
		{"RETR 1 MiB and an octet", nil, func() error { return retrieve(t, s, large.ID, 4*chunk+1) }, 0, 5},
		{"TOP n 0 of 1 MiB", nil, func() error {
			_, r, err := s.OpenContent(t.Context(), large.ID, "")
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.CopyN(io.Discard, onlyReader{r}, 8<<10)
			return err
		}, 0, 1},
		{"DELE x 500, QUIT", func() {
			many = make([]mail.Message, 500)
			for i := range many {
				many[i] = message()
			}
			add(t, s, mb, many...)
		}, func() error { return s.RemoveListed(t.Context(), mb, many) }, 2, 0},
		{"DELE x 501, QUIT", func() { many = append(many, small) }, func() error { return s.RemoveListed(t.Context(), mb, many) }, 4, 0},
		{"note 500 retrievals", nil, func() error {
			retrieved := make([]mail.MessageID, 500)
			for i := range retrieved {
				retrieved[i] = ids.Next()
			}
			return s.NoteRetrieved(t.Context(), mb, retrieved, time.Now(), time.Hour)
		}, 1, 0},
		{"note a login", nil, func() error { return s.NoteLogin(t.Context(), mb, time.Now()) }, 1, 0},
		{"record 200 events of a key", nil, func() error {
			rows, at := make([]store.Record, 200), time.Now()
			for i := range rows {
				rows[i] = store.Record{Key: "k", At: at, ID: [16]byte{15: byte(i)}, Data: []byte("x")}
			}
			return s.AddRecords(t.Context(), store.JournalTrace, rows, time.Hour)
		}, 1, 0},
		{"read the events of a key and a day", nil, func() error {
			_, _, err := s.Records(t.Context(), store.JournalTrace, "k", store.DayOf(time.Now()), store.Record{}, 1000)
			return err
		}, 0, 1},
		{"follow a key of the queue on a day", nil, func() error {
			_, _, err := s.RecordsAfter(t.Context(), store.JournalQueue, "k", store.DayOf(time.Now()), store.Record{}, 1000)
			return err
		}, 0, 1},
		{"advance 4 marks", nil, func() error {
			marks := make([]store.Mark, 4)
			for i := range marks {
				marks[i] = store.Mark{Name: string(rune('a' + i)), Position: store.Position{At: time.Now()}}
			}
			return s.AdvanceMarks(t.Context(), "list", marks, time.Hour)
		}, 1, 0},
		{"read marks", nil, func() error { _, err := s.Marks(t.Context(), "list"); return err }, 0, 1},
		{"address not cached", nil, func() error { _, err := s.AddressRows(t.Context(), a); return err }, 0, 1},
		{"change a password", nil, func() error {
			hash := "x"
			return s.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Password: &hash})
		}, 1, 1},
	})
}

// operation is a row of the budget.
type operation struct {
	name          string
	prepare       func()
	run           func() error
	writes, reads int
}

func checkBudget(t *testing.T, operations []operation) {
	t.Helper()
	for _, fault := range overBudget(t, operations) {
		t.Error(fault)
	}
}

// overBudget lists the operations with other statements than the budget has.
func overBudget(t *testing.T, operations []operation) (faults []string) {
	t.Helper()
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for _, c := range operations {
		if c.prepare != nil {
			c.prepare()
		}
		seen.Take()
		if err := c.run(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		list := seen.Take()
		writes, reads := spent(list)
		if len(writes) != c.writes || len(reads) != c.reads {
			fault("%s: %d writes and %d reads, want %d and %d:\n%s", c.name, len(writes), len(reads), c.writes, c.reads,
				strings.Join(append(writes, reads...), "\n"))
		}
		for _, st := range list {
			want := "LOCAL_QUORUM"
			if strings.HasPrefix(st.CQL, "SELECT data") { // a content is read from one replica first
				want = "LOCAL_ONE"
			}
			if st.Consistency != want {
				fault("%s: %s at %s", c.name, st.CQL, st.Consistency)
			}
			if !strings.HasPrefix(st.CQL, "SELECT") && !strings.Contains(st.CQL, "USING TIMESTAMP ?") {
				fault("%s: no timestamp in %s", c.name, st.CQL)
			}
		}
	}
	return faults
}

// onlyReader hides the io.WriterTo of a reader.
type onlyReader struct{ io.Reader }
