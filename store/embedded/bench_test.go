package embedded_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

func benchStore(b *testing.B) *embedded.Store {
	b.Helper()
	s, err := embedded.Open(embedded.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func benchMailbox(i int) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: fmt.Sprint("user", i), Domain: "example.test"}, mail.MessageID{})
}

// octets returns n octets that do not compress well.
func octets(n int) []byte {
	b := make([]byte, n)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func deliver(ctx context.Context, s store.Mail, id mail.MessageID, mb mail.MailboxID, data []byte) error {
	if err := storetest.Put(ctx, s, id, data, len(data), store.ContentInfo{ReversePath: "sender@example.org", Mailboxes: []mail.MailboxID{mb}}); err != nil {
		return err
	}
	return s.AddMessages(ctx, []store.Entry{{Mailbox: mb, Message: mail.Message{ID: id, Size: int64(len(data)), Recipient: "user@example.test"}}})[0]
}

// BenchmarkDeliver measures a durable delivery: content and row, with the fsync.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{8 << 10, 64 << 10} {
		for _, n := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dKiB/%d", size>>10, n), func(b *testing.B) {
				s, ids, data := benchStore(b), mail.NewIDSource(nil), octets(size)
				var next atomic.Int64
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				run(b, n, func() error {
					return deliver(b.Context(), s, ids.Next(), benchMailbox(int(next.Add(1)%80)), data)
				})
			})
		}
	}
}

// run spreads b.N calls of f over n goroutines.
func run(b *testing.B, n int, f func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, n)
	for range n {
		go func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range n {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// fill adds n rows with content of the given size to one mailbox; size 0 means rows alone.
func fill(b *testing.B, s store.Mail, mb mail.MailboxID, n, size int) []mail.MessageID {
	b.Helper()
	ids, data := mail.NewIDSource(nil), octets(size)
	all := make([]mail.MessageID, n)
	var entries []store.Entry
	for i := range all {
		all[i] = ids.Next()
		if size > 0 {
			if err := storetest.Put(b.Context(), s, all[i], data, size, store.ContentInfo{Mailboxes: []mail.MailboxID{mb}}); err != nil {
				b.Fatal(err)
			}
		}
		entries = append(entries, store.Entry{Mailbox: mb, Message: mail.Message{ID: all[i], Size: int64(size), Recipient: "user@example.test"}})
		if len(entries) == 100 || i == n-1 {
			for _, err := range s.AddMessages(b.Context(), entries) {
				if err != nil {
					b.Fatal(err)
				}
			}
			entries = entries[:0]
		}
	}
	return all
}

// BenchmarkList lists a mailbox of 100,000 messages.
func BenchmarkList(b *testing.B) {
	const n = 100_000
	s := benchStore(b)
	fill(b, s, benchMailbox(0), n, 0)
	b.ReportAllocs()
	for b.Loop() {
		rows, err := storetest.List(b.Context(), s, benchMailbox(0), 5000)
		if err != nil || len(rows) != n {
			b.Fatal(len(rows), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

// BenchmarkOpenRead opens contents and writes them away, as RETR does.
func BenchmarkOpenRead(b *testing.B) {
	for _, size := range []int{8 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := benchStore(b)
			n := min(4000, 32<<20/size)
			ids := fill(b, s, benchMailbox(0), n, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, r, err := s.OpenContent(b.Context(), ids[i%n], "")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.(io.WriterTo).WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
				r.Close()
				i++
			}
		})
	}
}

// BenchmarkRemove removes 1,000 messages at a time.
func BenchmarkRemove(b *testing.B) {
	s := benchStore(b)
	const n = 1000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		ids := fill(b, s, benchMailbox(0), n, 0)
		b.StartTimer()
		if err := s.RemoveMessages(b.Context(), benchMailbox(0), ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkPoll measures a login on a small mailbox.
func BenchmarkPoll(b *testing.B) {
	s := benchStore(b)
	for i := range 80 {
		fill(b, s, benchMailbox(i), 10, 0)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		rows, _, err := s.ListMessages(b.Context(), benchMailbox(i%80), mail.MessageID{}, 1000)
		if err != nil || len(rows) != 10 {
			b.Fatal(len(rows), err)
		}
		i++
	}
}
