package store

import (
	"fmt"
	"strings"

	"popelago/mail"
)

// Origin names the generation of an address that a mailbox was made for. An account keeps its mailbox when it
// is renamed.
type Origin struct {
	Address    mail.Address
	Generation mail.MessageID
}

// firstGeneration stands for the zero generation in texts.
const firstGeneration = "first"

// String is the stored form: the generation, a space and the address, such as "first alice@example.org".
func (o Origin) String() string {
	generation := firstGeneration
	if !o.Generation.IsZero() {
		generation = o.Generation.String()
	}
	return generation + " " + o.Address.String()
}

// ParseOrigin undoes String. Errors: ErrCorrupt.
func ParseOrigin(s string) (o Origin, err error) {
	generation, address, ok := strings.Cut(s, " ")
	if ok {
		o.Address, ok = mail.SplitAddress(address)
	}
	if ok && generation != firstGeneration {
		o.Generation, err = mail.ParseMessageID(generation)
	}
	if !ok || err != nil {
		return Origin{}, fmt.Errorf("%w: origin %q", ErrCorrupt, s)
	}
	return o, nil
}

// MailboxOrigin names the generation that the mailbox of a row was made for.
func (a Address) MailboxOrigin() Origin {
	if a.Origin != (Origin{}) {
		return a.Origin
	}
	return Origin{a.Address, a.Generation}
}

// Mailbox returns the mailbox of a row.
func (a Address) Mailbox() mail.MailboxID {
	o := a.MailboxOrigin()
	return mail.DeriveMailboxID(o.Address, o.Generation)
}

// Moved reports whether the account of a row was renamed: its mailbox belongs to an account with another
// address.
func (a Address) Moved() bool { return a.Kind == KindAccount && len(a.Targets) > 0 }
