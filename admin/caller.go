package admin

import (
	"context"

	"popelago/account"
	"popelago/token"
)

// callerKey is the key of the caller of a request in its context.
type callerKey struct{}

func withCaller(ctx context.Context, c token.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf returns the caller of a request. Without a caller, which guard rules out, the result has no
// rights.
func callerOf(ctx context.Context) token.Caller {
	c, _ := ctx.Value(callerKey{}).(token.Caller)
	return c
}

// accessed logs an access of an administrator to the mail of a user, as one line with fixed keys. by is
// the id of the token, "configured" for the secret of the configuration, or "socket":
//
//	msg="administrative access" operation=fetch-message by=socket address=... mailbox=... more keys
func (a *api) accessed(ctx context.Context, operation string, m account.Maildrop, more ...any) {
	a.logger.With("operation", operation, "by", callerOf(ctx).ID, "address", m.Address.String(), "mailbox", m.Mailbox.String()).
		Info("administrative access", more...)
}
