package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// Constants of the messages of other accounts.
const (
	octets = 1024 // of a message, half of them random
	batch  = 200  // messages of one durable write
)

// filling fills a data folder.
type filling struct {
	dir      string
	accounts int
	ids      *mail.IDSource
}

// add adds the messages from, from+1 and so on up to before to, in turn to each account. The first call also makes the
// accounts.
func (f *filling) add(ctx context.Context, from, to int) (err error) {
	st, err := embedded.Open(embedded.Config{Dir: f.dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if from == 0 {
		if err := f.addAccounts(ctx, st); err != nil {
			return err
		}
	}
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(4 * runtime.NumCPU())
	for at := from; at < to && ctx.Err() == nil; at += batch {
		writers.Go(func() error { return f.addMessages(ctx, st, at, min(at+batch, to)) })
	}
	return writers.Wait()
}

// addressOf returns the account of message n.
func (f *filling) addressOf(n int) mail.Address {
	return mail.Address{Local: fmt.Sprintf("other%d", n%f.accounts), Domain: "example.test"}
}

func (f *filling) addAccounts(ctx context.Context, st store.Directory) error {
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(256)
	for n := range f.accounts {
		writers.Go(func() error {
			return st.ChangeAddress(ctx, f.addressOf(n), mail.MessageID{}, store.AddressChange{
				Kind: new(store.KindAccount), State: new(store.StateEnabled), Created: new(time.Now().Truncate(time.Microsecond)),
			})
		})
	}
	return writers.Wait()
}

// addMessages adds some messages with one durable write.
func (f *filling) addMessages(ctx context.Context, st store.Mail, from, to int) error {
	var entries []store.Entry
	random := rand.NewChaCha8([32]byte{byte(from), byte(from >> 8), byte(from >> 16), byte(from >> 24)})
	for n := from; n < to; n++ {
		mailbox := mail.DeriveMailboxID(f.addressOf(n), mail.MessageID{})
		m := mail.Message{ID: f.ids.Next(), Size: octets, Recipient: f.addressOf(n).String()}
		var text [octets / 2]byte
		random.Read(text[:])
		c, err := st.NewContent(ctx)
		if err != nil {
			return err
		}
		if _, err := c.Write([]byte(hex.EncodeToString(text[:]))); err != nil {
			c.Discard()
			return err
		}
		if err := st.PutContent(ctx, m.ID, c, store.ContentInfo{ReversePath: "sender@example.org", Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
			return err
		}
		entries = append(entries, store.Entry{Mailbox: mailbox, Message: m})
	}
	return errors.Join(st.AddMessages(ctx, entries)...)
}
