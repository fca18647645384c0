package quota

import (
	"errors"
	"fmt"
)

// Errors of Admit and Reserve, besides those of the store.
var (
	// ErrOver: the message exceeds the quota of the mailbox or of its domain. SMTP answers 452 4.2.2.
	ErrOver = errors.New("over quota")
	// ErrRefused is the kind of ErrOver for a permanent refusal. SMTP answers 552 5.2.2.
	ErrRefused = fmt.Errorf("%w, and the account refuses such mail", ErrOver)
)
