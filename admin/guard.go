package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// guard accepts requests with the token, and turns a panic into a 500.
func (a *api) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(a.cfg.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recover(w, r)
		w.Header().Set("X-Content-Type-Options", "nosniff") // answers contain texts of strangers
		if a.cfg.Token != "" && r.URL.Path != healthPath && !hasToken(r, want) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="popelago"`) // RFC 6750 section 3
			writeProblem(w, http.StatusUnauthorized, "a valid token is needed")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hasToken reports whether the request carries the token with this hash. It compares hashes,
// because comparing texts reveals their length.
func hasToken(r *http.Request, want [sha256.Size]byte) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1 && ok && strings.EqualFold(scheme, "Bearer")
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
