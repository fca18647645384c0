package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/delivery"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/quota"
	"popelago/store"
	"popelago/task"
	"popelago/token"
	"popelago/trace"
	"popelago/webhook"
)

// classify returns the HTTP status of an error and the text for the client, for the whole package.
// Errors of the client keep their text, faults get fixed texts.
func classify(err error) (status int, text string) {
	var refusal *adminclient.Error // by a peer, see onServer
	var some *partial
	switch {
	case errors.As(err, &some):
		status, text = classify(some.err)
		return status, some.done + ", and then: " + strings.ReplaceAll(text, "nothing was changed", "nothing more was changed")
	case errors.Is(err, account.ErrHalfWay):
		return http.StatusServiceUnavailable, account.ErrHalfWay.Error()
	case errors.As(err, &refusal):
		return refusal.Status, err.Error()
	case errors.Is(err, mail.ErrBadAddress), errors.Is(err, account.ErrBadPassword), errors.Is(err, account.ErrWeakPassword),
		errors.Is(err, account.ErrBadSetting), errors.Is(err, account.ErrBadSearch), errors.Is(err, task.ErrBadCheck), errors.Is(err, task.ErrBadPage), errors.Is(err, mail.ErrBadMessageID), errors.Is(err, errIncomplete),
		errors.Is(err, token.ErrBadRequest), errors.Is(err, errNoTag), errors.Is(err, errNoTarget), errors.Is(err, trace.ErrBadPosition), errors.Is(err, errSubject):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, account.ErrBadCredentials): // also of account.ErrChanged and account.ErrNoSuchAccount
		return http.StatusUnauthorized, "the address or the password is wrong"
	case errors.Is(err, errLoginRefused), errors.Is(err, account.ErrChanged) && errors.Is(err, account.ErrDisabled):
		return http.StatusForbidden, errLoginRefused.Error()
	case errors.Is(err, errChanged), errors.Is(err, account.ErrChanged):
		return http.StatusPreconditionFailed, err.Error()
	case errors.Is(err, ErrReload), errors.Is(err, account.ErrTooManyToSort):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, ErrNoLogLevel):
		return http.StatusConflict, err.Error()
	case errors.Is(err, errNotReady), errors.Is(err, errPeer):
		return http.StatusServiceUnavailable, err.Error()
	case errors.Is(err, token.ErrBadToken):
		return http.StatusUnauthorized, err.Error()
	case errors.Is(err, errNeedsPassword):
		return http.StatusUnauthorized, errNeedsPassword.Error()
	case errors.Is(err, token.ErrForbidden), errors.Is(err, account.ErrNoChoice), errors.Is(err, errNeedsTLS):
		return http.StatusForbidden, err.Error()
	case errors.Is(err, account.ErrTooManyFailures), errors.Is(err, account.ErrBusy):
		return http.StatusTooManyRequests, "too many logins: try again later"
	case errors.Is(err, token.ErrTooMany), errors.Is(err, errTooManyTrials):
		return http.StatusTooManyRequests, err.Error()
	case errors.Is(err, account.ErrNoSuchRecipient), errors.Is(err, delivery.ErrNotHosted):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, account.ErrNoSuchAccount), errors.Is(err, account.ErrNoSuchAlias), errors.Is(err, account.ErrNoSuchDomain), errors.Is(err, task.ErrNoSuchJob), errors.Is(err, task.ErrNotLate),
		errors.Is(err, token.ErrNoSuchToken), errors.Is(err, webhook.ErrNoWebhook), errors.Is(err, webhook.ErrDatacenter), errors.Is(err, errNoServer), errors.Is(err, maildrop.ErrNoSuchMessage), errors.Is(err, maildrop.ErrRemoved):
		return http.StatusNotFound, err.Error()
	case errors.Is(err, account.ErrExists), errors.Is(err, account.ErrTwice), errors.Is(err, account.ErrDomainNotEmpty), errors.Is(err, task.ErrCheckRunning), errors.Is(err, account.ErrNoBulk),
		errors.Is(err, account.ErrDisabled), errors.Is(err, task.ErrSeveralOwners), errors.Is(err, token.ErrTooManyTokens), errors.Is(err, task.ErrRestoring),
		errors.Is(err, account.ErrBadTarget), errors.Is(err, account.ErrDomainInUse), errors.Is(err, account.ErrMisdirected), errors.Is(err, account.ErrSeveralAccounts):
		return http.StatusConflict, err.Error()
	case errors.Is(err, delivery.ErrTooLarge):
		return http.StatusRequestEntityTooLarge, err.Error()
	case errors.Is(err, delivery.ErrBareLineEnd), errors.Is(err, delivery.ErrLoop):
		return http.StatusUnprocessableEntity, err.Error()
	case errors.Is(err, maildrop.ErrNoContent):
		return http.StatusServiceUnavailable, "the content of the message is missing, or has not arrived from another datacenter yet"
	case errors.Is(err, quota.ErrOver):
		return http.StatusInsufficientStorage, "the maildrop is full"
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
	case errors.Is(err, account.ErrSomeDomains):
		return http.StatusServiceUnavailable, "a part of the domains cannot be read because nodes of the cluster do not answer, so there is no complete list: try again later"
	case errors.Is(err, store.ErrUnavailable):
		return http.StatusServiceUnavailable, "storage unavailable, try again later"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, "the server had no time for this, try again later"
	case errors.Is(err, store.ErrCorrupt):
		return http.StatusInternalServerError, "stored data is damaged"
	}
	return http.StatusInternalServerError, "internal error"
}

// register adds an operation for callers with its right, see permitted.
func register[In, Out any](a *api, op huma.Operation, do func(context.Context, *In) (*Out, error)) {
	op.MaxBodyBytes = maxBody
	op.BodyReadTimeout = -1 // none: see readWhole
	if a.rights[op.OperationID].tag != untagged {
		op = withIfMatch(op)
	}
	huma.Register(a.huma, op, permitted(a, op, do))
}

// permitted wraps the handler of an operation: callers need the right of the operation (see rights).
// Changes are logged with their caller. Errors are classified, and logged if they are faults.
func permitted[In, Out any](a *api, op huma.Operation, do func(context.Context, *In) (*Out, error)) func(context.Context, *In) (*Out, error) {
	rule := a.ruleFor(op.OperationID, op.Method, reflect.TypeFor[In]())
	return func(ctx context.Context, in *In) (*Out, error) {
		caller := callerOf(ctx)
		touched, err := rule.permit(caller, reflect.ValueOf(in).Elem())
		if err != nil {
			a.refused(caller, rule, err)
			return nil, a.problem(op.OperationID, err)
		}
		if err := a.matches(ctx, rule.tag, first(touched)); err != nil {
			return nil, a.problem(op.OperationID, err)
		}
		before := a.before(ctx, rule, touched)
		out, err := do(ctx, in)
		var answered huma.StatusError
		switch {
		case errors.As(err, &answered):
			return nil, err
		case inDoubt(err):
			a.audit(caller, rule, touched, "cause", changeDoubt)
			a.reportDoubt(ctx, rule, touched, before)
		}
		if err != nil {
			return nil, a.problem(op.OperationID, err, "token", caller.ID, "on", strings.Join(touched, ","))
		}
		a.audit(caller, rule, touched)
		a.reportChange(ctx, rule, touched, before)
		return out, nil
	}
}

// partial is the error of an operation that made a part of its changes before. done names the part.
type partial struct {
	done string
	err  error
}

// Error implements error.
func (p *partial) Error() string { return p.done + ", and then: " + p.err.Error() }

// Unwrap returns the error.
func (p *partial) Unwrap() error { return p.err }

// partialBehind returns an error of an operation that has changed n messages before; done is a verb such as "restored".
func partialBehind(n int, done string, err error) error {
	if err == nil || n == 0 {
		return err
	}
	return &partial{fmt.Sprintf("messages %s: %d", done, n), err}
}

// inDoubt reports whether an operation may have made a change, or a part of a change, before an error.
func inDoubt(err error) bool {
	var some *partial
	return errors.Is(err, store.ErrOutcomeUnknown) || errors.Is(err, account.ErrHalfWay) || errors.As(err, &some)
}

// first returns the first of some texts; empty: there is none.
func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

// problem is the answer for an error of an operation. more are keys and values for the log.
func (a *api) problem(operation string, err error, more ...any) error {
	status, text := classify(err)
	answer := huma.NewError(status, a.fault(operation, status, text, err, more...))
	if status != http.StatusUnauthorized {
		return answer
	}
	challenge := userChallenge
	if errors.Is(err, token.ErrBadToken) {
		challenge = tokenChallenge
	}
	return huma.ErrorWithHeaders(answer, http.Header{"WWW-Authenticate": {challenge}})
}

// fault returns the text of an answer. A fault of the server is logged, and gets an id under which its cause is found
// in the log.
func (a *api) fault(operation string, status int, text string, err error, more ...any) string {
	if errors.Is(err, store.ErrClock) || errors.Is(err, errNotReady) || errors.Is(err, errPeer) ||
		errors.Is(err, quota.ErrOver) || status < http.StatusInternalServerError { // the store has logged the clock, and the server the drain; a full maildrop is no fault
		return text
	}
	level := slog.LevelError
	if errors.Is(err, context.Canceled) { // the caller has gone, or the server is stopping
		level = slog.LevelInfo
	}
	id := rand.Text()[:10]
	a.logger.With("operation", operation, "id", id, "status", status, "cause", err).Log(context.Background(), level, "admin request failed", more...)
	return text + " (" + id + " in the server's log)"
}
