package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"popelago/event"
	"popelago/token"
)

// Challenges of a 401, for the two kinds of callers.
const (
	tokenChallenge = `Bearer realm="popelago"`                 // RFC 6750 section 3
	userChallenge  = `Basic realm="popelago", charset="UTF-8"` // RFC 7617 section 2
)

// guard accepts requests with a token, adds the caller to their context, and turns a panic into a 500.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recover(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff") // answers contain texts of strangers
		if r.URL.Path == healthPath || r.URL.Path == readyPath {
			next.ServeHTTP(w, r)
			return
		}
		if strings.HasPrefix(r.URL.Path, selfPath) {
			a.guardSelf(w, r, next)
			return
		}
		caller, err := a.caller(r)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		ctx := withSecret(withCaller(r.Context(), caller), r)
		if condition := r.Header.Get("If-Match"); condition != "" {
			ctx = context.WithValue(ctx, ifMatchKey{}, condition)
		}
		ctx = context.WithValue(ctx, againKey{}, func() error {
			_, err := a.caller(r)
			return err
		})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// againKey is the key, in the context of a request, of a function that judges the token or the password of
// the request again.
type againKey struct{}

// stillValid judges the token or the password of a request again, for use behind the body: the client may
// have held the body back until after the end of either. Errors: those of token.Keeper.Check and of
// account.Directory.Confirm.
func stillValid(ctx context.Context) error {
	if again, ok := ctx.Value(againKey{}).(func() error); ok {
		return again()
	}
	return nil
}

// guardAgain refuses a request whose token or password ended before the body had arrived. An operation that
// reads its body itself calls stillValid.
func (a *api) guardAgain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && !bringsMessage(r) {
			if err := stillValid(r.Context()); err != nil {
				refuse := a.refuse
				if strings.HasPrefix(r.URL.Path, selfPath) {
					refuse = a.refuseUser
				}
				refuse(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// caller returns the caller of a request. On an open socket a request without the header Authorization
// has all rights.
func (a *api) caller(r *http.Request) (token.Caller, error) {
	if a.cfg.Open && r.Header.Get("Authorization") == "" {
		return token.Local(), nil
	}
	secret, ok := bearer(r)
	if !ok {
		return token.Caller{}, token.ErrBadToken
	}
	// Hashes are compared, because comparing texts reveals their length.
	got, configured := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(a.cfg.Token))
	if subtle.ConstantTimeCompare(got[:], configured[:]) == 1 && a.cfg.Token != "" {
		return token.Configured(), nil
	}
	return a.cfg.Tokens.Check(r.Context(), secret, remoteOf(r))
}

// bearer returns the secret in the header Authorization (RFC 6750 section 2.1); false without a secret.
func bearer(r *http.Request) (secret string, ok bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return secret, ok && strings.EqualFold(scheme, "Bearer")
}

// remoteOf returns the address of the client; the zero value for a unix socket.
func remoteOf(r *http.Request) netip.Addr {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return remote.Addr()
}

// refuse answers a request without a valid token. A fault of the storage stays a fault.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := classify(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", tokenChallenge)
		if _, ok := bearer(r); ok { // requests without a token have no limit, and so no log line
			a.logger.Info("admin request with a wrong token", "remote", r.RemoteAddr, "cause", err)
			a.loginFailed(r, "", "wrong_token")
		}
	case http.StatusTooManyRequests:
		a.loginFailed(r, "", event.CauseHeldBack)
		w.Header().Set("Retry-After", strconv.Itoa(int(token.WrongTokenMemory.Seconds())))
	default:
		text = a.fault("check the token or password", status, text, err)
	}
	writeProblem(w, status, text)
}

func (a *api) recover(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p)
	}
	a.cfg.Metrics.panics.Inc()
	a.logger.Error("admin request panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	writeProblem(w, http.StatusInternalServerError, "internal error, see the server's log")
}

// writeProblem writes problem details outside of huma.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may be gone, so the error has no reader.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail})
}
