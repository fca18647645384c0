package maildrop_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"popelago/mail"
	"popelago/maildrop"
)

// frozen lists rows without copying them.
type frozen struct{ *rowStore }

func (s frozen) ListMessages(_ context.Context, _ mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	from, found := s.search(after)
	if found {
		from++
	}
	to := min(from+limit, len(s.rows))
	return s.rows[from:to], to < len(s.rows), nil
}

// BenchmarkList opens a maildrop of 200,000 messages. It reports the memory for each message that all
// sessions hold, measured and according to Lists.Octets, and the memory that an Open allocates.
func BenchmarkList(b *testing.B) {
	const n = 200_000
	for _, bench := range []struct {
		name     string
		sessions int
		carried  bool // each message has a unique-id of its own of 32 octets
	}{
		{"1 session", 1, false},
		{"32 sessions", 32, false},
		{"1 session, unique-ids from elsewhere", 1, true},
		{"32 sessions, unique-ids from elsewhere", 32, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			st := &rowStore{rows: rowsOf(n, mail.NewIDSource(nil))}
			for i := range st.rows {
				if bench.carried {
					st.rows[i].UIDL = mail.UIDL(fmt.Sprintf("UID-%028d", i))
				}
			}
			lists := maildrop.NewLists()
			before := heap()
			b.ReportAllocs()
			var drops []*maildrop.Maildrop
			for b.Loop() {
				if len(drops) == bench.sessions {
					drops[0].Close()
					drops = slices.Delete(drops, 0, 1)
				}
				drops = append(drops, openIn(b, lists, frozen{st}))
			}
			for len(drops) < bench.sessions {
				drops = append(drops, openIn(b, lists, frozen{st}))
			}
			b.ReportMetric(float64(heap()-before)/n, "octets/message")
			b.ReportMetric(float64(lists.Octets())/n, "told-octets/message")
			runtime.KeepAlive(st)
			runtime.KeepAlive(drops)
		})
	}
}
