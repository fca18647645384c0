package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/task"
)

// classify returns the HTTP status of an error and the text for the client, for the whole package.
// Errors of the client keep their text, faults get fixed texts.
func classify(err error) (status int, text string) {
	switch {
	case errors.Is(err, mail.ErrBadAddress), errors.Is(err, account.ErrBadPassword), errors.Is(err, account.ErrWeakPassword),
		errors.Is(err, account.ErrBadSetting), errors.Is(err, task.ErrBadCheck), errors.Is(err, mail.ErrBadMessageID), errors.Is(err, errIncomplete):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, account.ErrNoSuchAccount), errors.Is(err, account.ErrNoSuchDomain), errors.Is(err, task.ErrNoSuchJob), errors.Is(err, task.ErrNotLate),
		errors.Is(err, maildrop.ErrNoSuchMessage), errors.Is(err, maildrop.ErrRemoved):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, account.ErrExists), errors.Is(err, account.ErrDomainNotEmpty), errors.Is(err, task.ErrCheckRunning), errors.Is(err, account.ErrNoBulk),
		errors.Is(err, account.ErrDisabled), errors.Is(err, task.ErrSeveralOwners):
		return http.StatusConflict, err.Error()
	case errors.Is(err, delivery.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, delivery.ErrBareLineEnd), errors.Is(err, delivery.ErrLoop):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, maildrop.ErrNoContent):
		return http.StatusServiceUnavailable, "the content of the message is missing, or has not arrived from another datacenter yet"
	case errors.Is(err, store.ErrFull):
		return http.StatusInsufficientStorage, "nothing was changed: the disk of the server is full"
	case errors.Is(err, store.ErrClock):
		return http.StatusServiceUnavailable, "the clock of the server cannot be trusted, so nothing was changed: \"popelago clock show\" says why"
	case errors.Is(err, store.ErrDisagree):
		return http.StatusServiceUnavailable, "the servers differ in a setting, and background work waits until they agree: \"popelago doctor\" names the setting"
	case errors.Is(err, task.ErrTooEarly):
		return http.StatusServiceUnavailable, "the server has started just now, and the clock may still be put right: try again later"
	case errors.Is(err, task.ErrStopped):
		return http.StatusServiceUnavailable, "the server is stopping"
	case errors.Is(err, task.ErrNotAll):
		return http.StatusServiceUnavailable, "not every replica could be read, and nothing was concluded from the others: try again later"
	case errors.Is(err, store.ErrOutcomeUnknown):
		return http.StatusServiceUnavailable, "it is not known whether the change was made: look, and repeat it if it was not"
	case errors.Is(err, store.ErrUnavailable):
		return http.StatusServiceUnavailable, "storage unavailable, try again later"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, "the server had no time for this, try again later"
	case errors.Is(err, store.ErrCorrupt):
		return http.StatusInternalServerError, "stored data is damaged"
	}
	return http.StatusInternalServerError, "internal error"
}

// register adds an operation whose errors are classified, and logged if they are faults.
func register[In, Out any](a *api, op huma.Operation, do func(context.Context, *In) (*Out, error)) {
	op.MaxBodyBytes = maxBody
	op.BodyReadTimeout = -1 // none: see readWhole
	huma.Register(a.huma, op, func(ctx context.Context, in *In) (*Out, error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, a.problem(op.OperationID, err)
		}
		return out, nil
	})
}

// problem is the answer for an error of an operation. A fault has an id under which its cause
// is found in the log.
func (a *api) problem(operation string, err error) error {
	status, text := classify(err)
	if errors.Is(err, store.ErrClock) { // the store has logged the clock already
		return huma.NewError(status, text)
	}
	if status >= http.StatusInternalServerError {
		id := rand.Text()[:10]
		a.logger.Error("admin request failed", "operation", operation, "id", id, "status", status, "cause", err)
		text += " (" + id + " in the server's log)"
	}
	return huma.NewError(status, text)
}
