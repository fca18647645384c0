package delivery

import (
	"errors"
	"fmt"

	"popelago/store"
)

// Errors of Check, besides account.ErrNoSuchRecipient, account.ErrDisabled and the errors of the
// store.
var (
	// ErrNotHosted: the recipient's domain is not hosted here, and nothing is relayed.
	ErrNotHosted = errors.New("domain is not hosted here")
)

// ErrTooManyCopies: a mailbox would get more than Config.MaxCopies copies of the message. The sender repeats the message for
// the recipient. Only AdmitBeside returns ErrTooManyCopies.
var ErrTooManyCopies = errors.New("too many copies of the message for one mailbox")

// Errors of a message that is refused. All but ErrCrowded are permanent.
var (
	// ErrBareLineEnd: the text has a CR without LF or an LF without CR.
	ErrBareLineEnd = errors.New("bare CR or LF in the message")
	// ErrTooLarge: the text is longer than Config.MaxMessageSize, or than the account accepts.
	ErrTooLarge = errors.New("message too large")
	// ErrLoop: the header has more than Config.MaxReceived Received lines.
	ErrLoop = errors.New("mail loop: too many Received lines")
	// ErrCrowded: incoming texts fill the space that Config.MaxUnfinished leaves, so a large message
	// has to wait. It is a store.ErrFull.
	ErrCrowded = fmt.Errorf("%w: too much is coming in", store.ErrFull)
)

// errAborted is the error of a discarded Incoming that is used again.
var errAborted = errors.New("delivery was given up")
