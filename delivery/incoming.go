package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"

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
	room     *claim
	ends     lineEnds
	text     text
	// held is how the text begins, until it is known how it opens; then opened is set.
	held   []byte
	opened bool
	// fingerprint is of what came so far.
	fingerprint fingerprint
	size        int64 // of the text alone, as it is stored
	err         error
	finished    bool
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
	content, err := d.mail.Local.NewContent(ctx)
	if err != nil {
		err = fmt.Errorf("delivery: new content: %w", err)
		d.metrics.message(err)
		return nil, err
	}
	in := &Incoming{d: d, envelope: e, content: content, room: d.room.claim(e.Received.Remote, e.SingleReply), text: newText(), fingerprint: newFingerprint(e)}
	if _, err := io.WriteString(content, mail.ReceivedHeader(e)); err != nil {
		err = in.fail(fmt.Errorf("delivery: write content: %w", err))
		in.Discard()
		return nil, err
	}
	return in, nil
}

// fail makes err the first error. What the message holds is given back at once: the rest of the
// text may take its time.
func (in *Incoming) fail(err error) error {
	if in.err == nil {
		in.err = err
		in.d.metrics.message(err)
		in.giveBack()
	}
	return in.err
}

// giveBack frees what the message holds. It may be called again.
func (in *Incoming) giveBack() {
	in.content.Discard()
	in.room.release()
}

// Size is the count of octets of the text so far, as they are stored.
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
	in.fingerprint.write(p)
	if in.envelope.NormalizeLF {
		p = in.ends.normalize(p)
	}
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
	if err := in.room.cover(in.size); err != nil {
		return err
	}
	return in.write(p)
}

// Discard gives up a message that was not finished, and gives back what it holds. After
// Finish it does nothing.
func (in *Incoming) Discard() {
	if in.finished {
		return
	}
	in.finished = true
	in.fail(errAborted)
}

// Result is what became of a message.
type Result struct {
	// ID names the message. It is zero if nothing was tried. If Repeated, some recipients may
	// have it under an earlier one.
	ID mail.MessageID
	// Size is the count of octets of the text as the sender counts them, but for Normalized.
	Size int64
	// Normalized is how many line ends of the text were a bare LF. In Size each of them has two
	// octets, as it is stored.
	Normalized int64
	// Errors holds one error for each recipient of the envelope, in order. Nil: stored.
	Errors []error
	// Reached says for each recipient that has it how far the message got.
	Reached []mail.Reached
	// Repeated says that the message was recognized as one of which something was stored
	// before.
	Repeated bool

	trial *trial
}

// Least is how far the message got for all recipients that have it.
func (r Result) Least() mail.Reached {
	least := mail.ReachedEach
	for i, reached := range r.Reached {
		switch {
		case r.Errors[i] != nil || reached == mail.ReachedEach:
		case reached == mail.ReachedFallback:
			return reached
		default:
			least = reached
		}
	}
	return least
}

// Finish stores the message. It may be called once, also after an error: then that is what
// every recipient gets. It returns soon after ctx ends, and after Config.StoreTimeout.
func (in *Incoming) Finish(ctx context.Context) Result {
	d := in.d
	n := len(in.envelope.Recipients)
	res := Result{Size: in.size, Normalized: in.ends.made, Errors: make([]error, n), Reached: make([]mail.Reached, n)}
	err := in.err
	if err == nil {
		err = in.complete()
	}
	if err == nil {
		err = d.mail.Local.CompareClock(ctx) // ids are made of it
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
	in.store(ctx, &res)
	in.giveBack()
	d.metrics.stored(res, d.cfg.Now().Sub(start))
	d.remember(ctx, res.trial, in.envelope.SingleReply)
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
	if in.size == 0 {
		return nil // nothing to be told from the header
	}
	if err := in.open(); err != nil {
		return err
	}
	if in.text.ends {
		return nil
	}
	return in.writeContent([]byte("\r\n"))
}
