package embedded_test

import (
	"context"
	"io"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

func TestSmoke(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	ids := mail.NewIDSource(nil)
	mb := mail.DeriveMailboxID(mail.Address{Local: "a", Domain: "example.test"}, mail.MessageID{})
	sizes := []int{0, 1, 8192, 32 << 10, 32<<10 + 1, 1 << 20}
	var list []mail.MessageID
	for round := range 2 {
		s, err := embedded.Open(embedded.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range sizes {
			c, err := s.NewContent(ctx)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(i * 7)
			}
			c.Write(b)
			id := ids.Next()
			if err := s.PutContent(ctx, id, c, store.ContentInfo{ReversePath: "x@y", Mailboxes: []mail.MailboxID{mb}}); err != nil {
				t.Fatal(err)
			}
			if errs := s.AddMessages(ctx, []store.Entry{{Mailbox: mb, Message: mail.Message{ID: id, Size: int64(n), Recipient: "a@b"}}}); errs[0] != nil {
				t.Fatal(errs)
			}
			list = append(list, id)
		}
		rows, more, err := s.ListMessages(ctx, mb, mail.MessageID{}, 100)
		if err != nil || more || len(rows) != len(list) {
			t.Fatal(round, len(rows), more, err)
		}
		for i, r := range rows {
			if r.ID != list[i] {
				t.Fatal("order")
			}
			_, rd, err := s.OpenContent(ctx, r.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(rd)
			if err != nil || int64(len(b)) != r.Size {
				t.Fatal(len(b), r.Size, err)
			}
			rd.Close()
		}
		if round == 1 {
			if err := s.RemoveMessages(ctx, mb, list); err != nil {
				t.Fatal(err)
			}
			rep, err := s.Sweep(ctx, time.Now().Add(time.Hour))
			if err != nil || rep.Contents != len(list) {
				t.Fatal(rep, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
