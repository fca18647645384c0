package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/token"
)

// selfPath begins the paths of the operations for users. A user gives the address and the password of an
// account (RFC 7617) instead of a token, and reaches the own account alone; tokens are refused. A login
// here has the rules of a POP3 login: the same penalties and permissions, and no password without TLS. A
// wrong password ends the connection.
const selfPath = "/v1/self/"

// userCaller is the ID of a caller who gave the password of an account. Such a caller has no role.
const userCaller = "user"

// Errors of the operations for users.
var (
	// errNeedsPassword: the request has no address and password. HTTP answers 401.
	errNeedsPassword = errors.New("the address and the password of an account are needed")
	// errNeedsTLS: the password came over a readable connection. HTTP answers 403.
	errNeedsTLS = errors.New("passwords are accepted over TLS alone")
	// errLoginRefused: the account is disabled, has expired, or has no permission to log in. HTTP
	// answers 403, without the reason, which is for administrators.
	errLoginRefused = errors.New("the account may not log in")
)

// loginKey is the key of the login of a user in the context of a request.
type loginKey struct{}

// guardSelf serves a request with the address and the password of an account.
func (a *api) guardSelf(w http.ResponseWriter, r *http.Request, next http.Handler) {
	login, err := a.signIn(r)
	if err != nil {
		a.refuseUser(w, r, err)
		return
	}
	ctx := withCaller(r.Context(), token.Caller{ID: userCaller})
	ctx = context.WithValue(ctx, againKey{}, func() error { return a.directory.Confirm(r.Context(), login) })
	next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, loginKey{}, login)))
}

// signIn checks the address and the password in the header Authorization.
func (a *api) signIn(r *http.Request) (account.Login, error) {
	name, password, ok := r.BasicAuth()
	remote := remoteOf(r)
	switch {
	case !ok:
		return account.Login{}, errNeedsPassword
	case r.TLS == nil && !a.cfg.AllowInsecureAuth && remote.IsValid() && !remote.Unmap().IsLoopback():
		return account.Login{}, errNeedsTLS
	}
	login, err := a.directory.SignIn(r.Context(), account.LoginRequest{Name: name, Password: password, Remote: remote})
	if errors.Is(err, account.ErrDisabled) {
		a.logger.Info("login of a user refused", "remote", r.RemoteAddr, "cause", err)
		err = errLoginRefused
	}
	return login, err
}

// refuseUser answers a request without the right address and password. A storage fault stays a fault.
func (a *api) refuseUser(w http.ResponseWriter, r *http.Request, err error) {
	if name, _, ok := r.BasicAuth(); ok {
		cause := err
		if errors.Is(err, errLoginRefused) {
			cause = account.ErrDisabled
		}
		reason := account.LoginReason(cause)
		if !account.MayShow(name, cause) {
			name = ""
		}
		a.loginFailed(r, name, reason)
	}
	status, text := classify(err)
	switch {
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", userChallenge)
		if !errors.Is(err, errNeedsPassword) {
			a.logger.Info("login of a user failed", "remote", r.RemoteAddr, "cause", err)
			a.delay(r.Context())
		}
	case status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "10")
	default:
		text = a.fault("check the password", status, text, err)
	}
	w.Header().Set("Connection", "close")
	writeProblem(w, status, text)
}

// delay waits for Config.FailureDelay, or until the client is gone.
func (a *api) delay(ctx context.Context) {
	if a.cfg.FailureDelay <= 0 {
		return
	}
	timer := time.NewTimer(a.cfg.FailureDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// loginOf returns the account of the user who made a request. Errors: errNeedsPassword.
func loginOf(ctx context.Context) (account.Login, error) {
	login, ok := ctx.Value(loginKey{}).(account.Login)
	if !ok {
		return login, errNeedsPassword
	}
	return login, nil
}

func (a *api) addSelf() {
	type shown struct{ Body adminclient.OwnRetention }
	register(a, huma.Operation{
		OperationID: "show-own-retention", Method: http.MethodGet, Path: selfPath + "retention", Security: userSecurity(),
		Summary: "Show a user the retention of the own account, and its bounds",
	}, func(ctx context.Context, _ *struct{}) (*shown, error) {
		login, err := loginOf(ctx)
		if err != nil {
			return nil, err
		}
		out, err := a.ownRetention(ctx, login)
		return &shown{out}, err
	})

	type change struct{ Body adminclient.Retention }
	register(a, huma.Operation{
		OperationID: "set-own-retention", Method: http.MethodPut, Path: selfPath + "retention", Security: userSecurity(),
		Summary: "Let a user choose the retention of the own account, within the bounds of the domain",
	}, func(ctx context.Context, in *change) (*shown, error) {
		login, err := loginOf(ctx)
		if err != nil {
			return nil, err
		}
		retention, err := parseRetention(in.Body.Retention)
		if err != nil {
			return nil, err
		}
		if err := a.directory.Choose(ctx, login, retention); err != nil {
			return nil, err
		}
		a.logger.Info("account retention chosen by its user", "address", login.Address.String(), "retention", retention.String())
		out, err := a.ownRetention(ctx, login)
		return &shown{out}, err
	})
}

func (a *api) ownRetention(ctx context.Context, login account.Login) (adminclient.OwnRetention, error) {
	c, err := a.directory.Choice(ctx, login)
	return adminclient.OwnRetention{
		Address: login.Address.String(), Retention: c.Own.String(), InForce: inForce(c.InForce), Free: c.Free, Least: c.Least, Greatest: c.Greatest,
	}, err
}
