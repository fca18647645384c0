package delivery

import (
	"context"
	"io"

	"popelago/mail"
)

// Trial is the result of Try.
type Trial struct {
	Size       int64 // octets of the text, as it would be stored
	Normalized int64 // line ends that came as a bare LF
	Received   int   // Received lines in the header
}

// Try checks a message as Begin, ReadFrom and Finish do, up to the limits of its recipients, and stores
// nothing. No metric counts the message. The Trial counts what was read before an error. Errors: those of
// Begin, ReadFrom, Finish and Admit.
func (d *Deliverer) Try(ctx context.Context, e mail.Envelope, r io.Reader) (Trial, error) {
	in, err := d.begin(ctx, e, true)
	if err != nil {
		return Trial{}, err
	}
	defer in.Discard()
	if _, err = in.ReadFrom(r); err == nil {
		err = in.complete()
	}
	if err == nil {
		err = d.mail.Local.CompareClock(ctx)
	}
	if err == nil {
		err = d.Admit(ctx, e.Recipients, in.size)
	}
	return Trial{Size: in.size, Normalized: in.ends.made, Received: in.text.received}, err
}
