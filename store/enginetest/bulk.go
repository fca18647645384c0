package enginetest

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// AddBulk adds messages to a mailbox with a moment of bulk.
func AddBulk(t testing.TB, s store.Mail, mb mail.MailboxID, since time.Time, ms ...mail.Message) {
	t.Helper()
	var entries []store.Entry
	for _, m := range ms {
		entries = append(entries, store.Entry{Mailbox: mb, Message: m, Bulk: since})
	}
	for _, err := range s.AddMessages(t.Context(), entries) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// At returns a message with an id of a moment.
func At(moment time.Time) mail.Message {
	return mail.Message{ID: mail.NewIDSource(func() time.Time { return moment }).Next(), Size: 10, Recipient: "alice@example.test"}
}

// DayOf returns the segment of a bulk mailbox for messages of a moment.
func DayOf(moment time.Time) int { return int(moment.Unix() / 86400) }

// IDsOf lists the ids of messages.
func IDsOf(ms ...mail.Message) []mail.MessageID {
	list := make([]mail.MessageID, len(ms))
	for i, m := range ms {
		list[i] = m.ID
	}
	return list
}

// WantRows checks that a mailbox holds exactly the messages, with pages of any size.
func WantRows(t *testing.T, s store.Mail, mb mail.MailboxID, want ...mail.Message) {
	t.Helper()
	for _, limit := range []int{1, 3, len(want), 5000} {
		rows, err := ListAll(t.Context(), s, mb, limit)
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			rows[i].Origin = ""
		}
		if !slices.Equal(rows, want) {
			t.Fatalf("in pages of %d: %d rows, want %d, or different rows:\n%v\n%v", limit, len(rows), len(want), rows, want)
		}
	}
}

// Sorted sorts messages by id.
func Sorted(ms ...mail.Message) []mail.Message {
	return slices.SortedFunc(slices.Values(ms), func(a, b mail.Message) int { return a.ID.Compare(b.ID) })
}

// SegmentsOf lists the segments of a mailbox with a row of a message.
func SegmentsOf(t *testing.T, cfg cassandra.Config, mb mail.MailboxID, m mail.Message) (segments []int) {
	t.Helper()
	if cfg.Keyspace == "" {
		cfg.Keyspace = cassandra.DefaultConfig().Keyspace
	}
	rows := Session(t, cfg).Query("SELECT mailbox, segment, message, size FROM " + cfg.Keyspace + ".mailbox").Iter()
	var mailbox mail.MailboxID
	var segment int
	var id mail.MessageID
	var size *int64
	for rows.Scan((*[16]byte)(&mailbox), &segment, (*[16]byte)(&id), &size) {
		if mailbox == mb && id == m.ID && size != nil {
			segments = append(segments, segment)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return segments
}
