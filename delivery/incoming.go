package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Incoming is one message on its way in: made by Begin, filled by ReadFrom as often as there
// are chunks (RFC 3030), and ended by Finish or Discard. The first error is final: all later
// calls return it.
type Incoming struct {
	d        *Deliverer
	envelope mail.Envelope
	content  store.Content
	text     text
	size     int64 // of the text alone
	err      error
	finished bool
}

// Begin starts a message. Envelope.Received.Time is set if it is zero. Begin returns errors
// of the store; a nil error means that Finish or Discard must be called, and Discard always
// may.
func (d *Deliverer) Begin(ctx context.Context, e mail.Envelope) (*Incoming, error) {
	if len(e.Recipients) == 0 {
		return nil, errors.New("delivery: no recipients")
	}
	if e.Received.Time.IsZero() {
		e.Received.Time = d.cfg.Now()
	}
	content, err := d.store.NewContent(ctx)
	if err != nil {
		err = fmt.Errorf("delivery: new content: %w", err)
		d.metrics.message(err)
		return nil, err
	}
	in := &Incoming{d: d, envelope: e, content: content, text: newText()}
	if _, err := io.WriteString(content, mail.ReceivedHeader(e)); err != nil {
		err = in.fail(fmt.Errorf("delivery: write content: %w", err))
		in.Discard()
		return nil, err
	}
	return in, nil
}

// fail makes err the first error.
func (in *Incoming) fail(err error) error {
	if in.err == nil {
		in.err = err
		in.d.metrics.message(err)
	}
	return in.err
}

// Size is the count of octets of the text so far.
func (in *Incoming) Size() int64 { return in.size }

// Err is the first error, or nil.
func (in *Incoming) Err() error { return in.err }

// Expect says that n more octets are on their way. Errors: ErrTooLarge, or the first error.
func (in *Incoming) Expect(n int64) error {
	if in.err == nil && n > in.d.cfg.MaxMessageSize-in.size {
		return in.fail(ErrTooLarge)
	}
	return in.err
}

// ReadFrom takes the next part of the text: all of r, in bounded memory. After an error of
// ours the rest of r is not read; what r returns is wrapped. It implements io.ReaderFrom.
//
// Errors: see Deliver.
func (in *Incoming) ReadFrom(r io.Reader) (n int64, err error) {
	if in.err != nil {
		return 0, in.err
	}
	buffer := in.d.buffers.Get().(*[]byte)
	defer in.d.buffers.Put(buffer)
	for {
		k, err := r.Read(*buffer)
		if k > 0 {
			n += int64(k)
			if err := in.add((*buffer)[:k]); err != nil {
				return n, in.fail(err)
			}
		}
		switch {
		case err == io.EOF:
			return n, nil
		case err != nil:
			return n, in.fail(fmt.Errorf("delivery: message incomplete after %d octets: %w", in.size, err))
		}
	}
}

// add checks one piece of the text and hands it on.
func (in *Incoming) add(p []byte) error {
	in.size += int64(len(p))
	if in.size > in.d.cfg.MaxMessageSize {
		return ErrTooLarge
	}
	if err := in.text.scan(p); err != nil {
		return err
	}
	if in.text.received > in.d.cfg.MaxReceived {
		return ErrLoop
	}
	if _, err := in.content.Write(p); err != nil {
		return fmt.Errorf("delivery: write content: %w", err)
	}
	return nil
}

// Discard gives up a message that was not finished, and gives back what it holds. After
// Finish it does nothing.
func (in *Incoming) Discard() {
	if in.finished {
		return
	}
	in.finished = true
	in.fail(errAborted)
	in.content.Discard()
}

// Result is what became of a message.
type Result struct {
	// ID names the message. It is zero if nothing was tried.
	ID mail.MessageID
	// Size is the count of octets of the text as the sender counts them.
	Size int64
	// Errors holds one error for each recipient of the envelope, in order. Nil: stored.
	Errors []error
}

// Finish stores the message. It may be called once, also after an error: then that is what
// every recipient gets. It returns soon after ctx ends, and after Config.StoreTimeout.
func (in *Incoming) Finish(ctx context.Context) Result {
	d := in.d
	res := Result{Size: in.size, Errors: make([]error, len(in.envelope.Recipients))}
	err := in.err
	if err == nil {
		err = in.complete()
	}
	if err != nil {
		in.fail(err)
		in.Discard()
		res.all(err)
		return res
	}
	in.finished = true
	in.err = errAborted

	start := d.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
	defer cancel()
	res.ID = d.cfg.IDs.Next()
	in.store(ctx, &res)
	d.metrics.stored(res, d.cfg.Now().Sub(start))
	return res
}

// all sets the error of every recipient.
func (r *Result) all(err error) {
	for i := range r.Errors {
		r.Errors[i] = err
	}
}

// complete checks the end of the text, and gives its last line a CRLF if it has none: POP3
// could not send it otherwise. Only BDAT can bring such a text.
func (in *Incoming) complete() error {
	if err := in.text.end(); err != nil {
		return err
	}
	if in.text.ends {
		return nil
	}
	if _, err := io.WriteString(in.content, "\r\n"); err != nil {
		return fmt.Errorf("delivery: write content: %w", err)
	}
	return nil
}

// store writes content, then index, under res.ID.
func (in *Incoming) store(ctx context.Context, res *Result) {
	d := in.d
	entries, entryOf := in.entries(res.ID)
	info := store.ContentInfo{ReversePath: in.envelope.ReversePath}
	for _, e := range entries {
		info.Mailboxes = append(info.Mailboxes, e.Mailbox)
	}
	if err := d.store.PutContent(ctx, res.ID, in.content, info); err != nil {
		res.all(fmt.Errorf("delivery: put content %s: %w", res.ID, err))
		return
	}
	errs := d.store.AddMessages(ctx, entries)
	if d.tooOld(res.ID) {
		d.takeBack(ctx, entries)
		for i, err := range errs {
			if err == nil {
				errs[i] = ErrTooOld
			}
		}
	}
	for i, k := range entryOf {
		if err := errs[k]; err != nil {
			res.Errors[i] = fmt.Errorf("delivery: add message %s: %w", res.ID, err)
		}
	}
}

// entries lists the rows to be written, one for each mailbox, and for each recipient the
// index of its row. The first of several recipients with one mailbox gives its address.
func (in *Incoming) entries(id mail.MessageID) (entries []store.Entry, entryOf []int) {
	recipients := in.envelope.Recipients
	entries = make([]store.Entry, 0, len(recipients))
	entryOf = make([]int, len(recipients))
	index := make(map[mail.MailboxID]int, len(recipients))
	for i, r := range recipients {
		k, twice := index[r.Mailbox]
		if !twice {
			k = len(entries)
			index[r.Mailbox] = k
			recipient := r.Address.PathString()
			header := mail.DeliveryHeader(in.envelope.ReversePath, recipient)
			entries = append(entries, store.Entry{Mailbox: r.Mailbox, Message: mail.Message{
				ID: id, Size: int64(len(header)) + in.content.Size(), Recipient: recipient,
			}})
		}
		entryOf[i] = k
	}
	return entries, entryOf
}

// tooOld reports whether id is over MaxIDAge by the wall clock. The monotonic clock would not
// do: it may stand still while the machine sleeps.
func (d *Deliverer) tooOld(id mail.MessageID) bool {
	return d.cfg.Now().Round(0).Sub(id.Time()) > MaxIDAge
}

// takeBack removes rows that came too late. It has a time of its own, because ctx will have
// ended.
func (d *Deliverer) takeBack(ctx context.Context, entries []store.Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	d.metrics.tooOld.Inc()
	for _, e := range entries {
		if err := d.store.RemoveMessages(ctx, e.Mailbox, []mail.MessageID{e.Message.ID}); err != nil {
			d.cfg.Logger.Error("a message was stored too late and could not be removed again",
				"message", e.Message.ID.String(), "mailbox", e.Mailbox.String(), "cause", err)
		}
	}
}
