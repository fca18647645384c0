package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"

	"popelago/ledger"
	"popelago/mail"
	"popelago/store"
)

// Incoming is a message that arrives: Begin makes it, ReadFrom fills it once for each chunk
// (RFC 3030), Finish or Discard ends it. The first error is final: all later calls return it.
type Incoming struct {
	d        *Deliverer
	envelope mail.Envelope
	content  store.Content
	trial    bool
	room     *claim
	ends     lineEnds
	text     text
	headerID headerID // while events are reported
	// held is the beginning of the text, until its opening is known; then opened is set.
	held        []byte
	opened      bool
	fingerprint ledger.Hash // of the text so far
	size        int64       // of the text alone, as stored
	maxSize     int64
	err         error
	finished    bool
}

// Begin starts a message. It sets Envelope.Received.Time if zero. After a nil error the caller has
// to call Finish or Discard, and may call Discard in any case. Errors: those of the store.
func (d *Deliverer) Begin(ctx context.Context, e mail.Envelope) (*Incoming, error) {
	return d.begin(ctx, e, false)
}

// begin is Begin. No metric counts a trial, see Try.
func (d *Deliverer) begin(ctx context.Context, e mail.Envelope, trial bool) (*Incoming, error) {
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
	in := &Incoming{d: d, trial: trial, envelope: e, maxSize: d.maxSize(e), content: content, room: d.room.claim(e), text: newText(), fingerprint: ledger.NewHash(e)}
	if _, err := io.WriteString(content, mail.ReceivedHeader(e)); err != nil {
		err = in.fail(fmt.Errorf("delivery: write content: %w", err))
		in.Discard()
		return nil, err
	}
	return in, nil
}

// fail makes err the first error. It frees the resources of the message at once: the rest of the
// text may take long to arrive.
func (in *Incoming) fail(err error) error {
	if in.err == nil {
		in.err = err
		if !in.trial {
			in.d.metrics.message(err)
		}
		in.free()
	}
	return in.err
}

// free frees the resources of the message. It may be called again.
func (in *Incoming) free() {
	in.content.Discard()
	in.room.release()
}

// Expect announces n more octets of text. Errors: ErrTooLarge, or the first error.
func (in *Incoming) Expect(n int64) error {
	if in.err == nil && n > in.maxSize-in.size {
		return in.fail(ErrTooLarge)
	}
	return in.err
}

// ReadFrom adds the next part of the text: all of r, in bounded memory. After an error of its own
// it does not read the rest of r. It implements io.ReaderFrom.
//
// Errors: ErrTooLarge, ErrBareLineEnd, ErrLoop, ErrCrowded; those of the store; the error of r,
// wrapped. The message is not stored then.
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

// add checks one piece of the text and writes it to the content.
func (in *Incoming) add(p []byte) error {
	in.fingerprint.Add(p)
	if in.envelope.NormalizeLF {
		p = in.ends.normalize(p)
	}
	in.size += int64(len(p))
	if in.size > in.maxSize {
		return ErrTooLarge
	}
	if err := in.text.scan(p); err != nil {
		return err
	}
	if in.listening() {
		in.headerID.scan(p)
	}
	if in.text.received > in.d.cfg.MaxReceived {
		return ErrLoop
	}
	if err := in.room.cover(in.size); err != nil {
		return err
	}
	return in.write(p)
}

// Discard gives up an unfinished message and frees its resources. After Finish it does nothing.
func (in *Incoming) Discard() {
	if in.finished {
		return
	}
	in.finished = true
	in.fail(errAborted)
}

// Result holds the outcome of a delivery.
type Result struct {
	// ID names the message. It is zero if nothing was tried. If Repeated, some recipients may
	// have the message under an earlier id.
	ID mail.MessageID
	// Size counts the octets of the text. They are the octets that the sender counts, except that
	// each line end counted by Normalized has two octets, as stored.
	Size int64
	// Normalized counts the line ends that arrived as a bare LF.
	Normalized int64
	// Errors holds one error for each RCPT command of the envelope, in order. Nil: stored.
	Errors []error
	// Reached says for each command without an error how far the message got.
	Reached []mail.Reached
	// Repeated says that the delivery repeats an earlier one, of which something was stored.
	Repeated bool
	// Recipients counts the recipients, the members of groups included. The memory of the result is in proportion.
	Recipients int

	receipt *ledger.Receipt
}

// Least returns how far the message got for all recipients without an error.
func (r Result) Least() mail.Reached {
	least := mail.ReachedEach
	for i, reached := range r.Reached {
		if r.Errors[i] == nil {
			least = least.Least(reached)
		}
	}
	return least
}

// Finish stores the message. It may be called once, also after an error: then every recipient gets
// the error. It returns soon after ctx ends, and after Config.StoreTimeout.
func (in *Incoming) Finish(ctx context.Context) Result {
	d := in.d
	received := d.cfg.Now()
	n := in.envelope.Commands()
	res := Result{Size: in.size, Normalized: in.ends.made, Errors: make([]error, n), Reached: make([]mail.Reached, n),
		Recipients: len(in.envelope.Recipients)}
	err := in.err
	if err == nil {
		err = in.complete()
	}
	if err == nil {
		err = d.mail.Local.CompareClock(ctx) // the clock makes the ids
	}
	if err != nil {
		in.fail(err)
		in.Discard()
		in.reportRefused(err)
		res.all(err)
		return res
	}
	in.finished = true
	in.err = errAborted

	start := d.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
	defer cancel()
	outcome := in.store(ctx, &res)
	ended := d.cfg.Now()
	d.metrics.stored(res, ended.Sub(start), ended.Sub(received))
	if outcome != nil {
		res.receipt = d.ledger.Record(ctx, *outcome)
	}
	return res
}

// all sets the error of every recipient.
func (r *Result) all(err error) {
	for i := range r.Errors {
		r.Errors[i] = err
	}
}

// complete checks the end of the text, and adds a CRLF to a last line without one: POP3 could not
// send the line otherwise. Only BDAT can bring such a text.
func (in *Incoming) complete() error {
	if err := in.text.end(); err != nil {
		return err
	}
	if in.size == 0 {
		return nil // the Received line needs no gap
	}
	if err := in.open(); err != nil {
		return err
	}
	if in.text.ends {
		return nil
	}
	return in.writeContent([]byte("\r\n"))
}
