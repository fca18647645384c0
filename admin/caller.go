package admin

import (
	"context"
	"net/http"

	"popelago/account"
)

// callerKey is the key of the caller of a request in its context.
type callerKey struct{}

// withCaller notes in the context of a request where the request came from: the address of the client,
// or "socket" for the unix socket, whose access the file system controls.
func withCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := r.RemoteAddr
		if caller == "" || caller == "@" {
			caller = "socket"
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	})
}

func callerOf(ctx context.Context) string {
	caller, _ := ctx.Value(callerKey{}).(string)
	return caller
}

// accessed logs an access of an administrator to the mail of a user, as one line with fixed keys:
//
//	msg="administrative access" operation=fetch-message by=socket address=... mailbox=... more keys
func (a *api) accessed(ctx context.Context, operation string, m account.Maildrop, more ...any) {
	a.logger.With("operation", operation, "by", callerOf(ctx), "address", m.Address.String(), "mailbox", m.Mailbox.String()).
		Info("administrative access", more...)
}
