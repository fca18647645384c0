package delivery

import (
	"errors"
	"fmt"

	"popelago/store"
)

// What Check answers, besides account.ErrNoSuchRecipient, account.ErrDisabled and the errors
// of the store.
var (
	// ErrNotHosted: the recipient's domain is not one of ours, and nothing is relayed.
	ErrNotHosted = errors.New("domain is not hosted here")
)

// Why a message is refused for good.
var (
	// ErrBareLineEnd: the text has a CR without LF or an LF without CR.
	ErrBareLineEnd = errors.New("bare CR or LF in the message")
	// ErrTooLarge: the text is longer than Config.MaxMessageSize.
	ErrTooLarge = errors.New("message too large")
	// ErrLoop: the header has more than Config.MaxReceived Received lines.
	ErrLoop = errors.New("mail loop: too many Received lines")
	// ErrCrowded: so much mail is coming in that a large message has to wait, see
	// Config.MaxUnfinished. It is a store.ErrFull.
	ErrCrowded = fmt.Errorf("%w: too much is coming in", store.ErrFull)
)

// errAborted is what further use of a discarded Incoming returns.
var errAborted = errors.New("delivery was given up")
