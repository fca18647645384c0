package admin

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/token"
)

// auth tests a login. Errors: errTooManyTrials, token.ErrForbidden if the account would be in a domain that the caller does
// not reach, those of the store.
func (t *trial) auth(ctx context.Context, in adminclient.AuthTrial) error {
	var remote netip.Addr
	if in.Client != "" {
		var err error
		if remote, err = netip.ParseAddr(in.Client); err != nil {
			return fmt.Errorf("%w: %q is not an IP address", account.ErrBadSetting, in.Client)
		}
		remote = remote.Unmap()
	}
	may := t.a.cfg.Process.MayLogIn(!in.Clear, remote.IsLoopback())
	t.step("encryption", refused(may, "a login needs TLS: see auth.allow_insecure_auth"), "the connection may carry a password")
	wait, held := t.a.directory.HeldBack(in.Address, remote)
	t.step("penalty", refused(!held, fmt.Sprintf("too many logins of the client have failed: refused for %v", wait.Round(time.Second))),
		fmt.Sprintf("the login waits %v", wait.Round(time.Millisecond)))
	if t.a.guesses.Tokens() < 1 {
		return errTooManyTrials
	}
	login, err := t.a.directory.SignIn(ctx, account.LoginRequest{
		Name: in.Address, Password: in.Password, Trial: true,
		Reaches: func(domain string) error {
			if !t.reaches(mail.Address{Domain: domain}) {
				return fmt.Errorf("%w: the domain stands for a domain outside the scopes of the token", token.ErrForbidden)
			}
			return nil
		},
	})
	stranger := errors.Is(err, account.ErrNoSuchAccount)
	wrong := errors.Is(err, account.ErrBadCredentials)
	disabled := errors.Is(err, account.ErrDisabled)
	if err != nil && !wrong && !disabled {
		return err
	}
	t.step("account", refused(!stranger, "no account has the login name"), "the login name names an account")
	if wrong {
		t.a.guesses.Reserve() // also beyond the limit: passwords tested at the same time count, too
	}
	if !stranger {
		t.step("password", refused(!wrong, "the password is wrong"), "the password is right")
		if address, bad := mail.ParseAddress(in.Address); bad == nil {
			t.settings(ctx, address.Canonical(), "pop3", "expires", "reason", "reading", "retention")
		}
	}
	if !wrong {
		var refusal error // names the setting or the state
		if disabled {
			refusal = err
		}
		t.step("permission", refusal, "the account may log in: "+login.Address.String())
	}
	t.Accepted = err == nil && may && !held
	switch {
	case !may:
		t.reply("login", t.a.cfg.Process.ClearReply(), "pop3")
	case held:
		t.reply("login", t.a.cfg.Process.LoginReply(account.ErrTooManyFailures), "pop3")
	default:
		t.reply("login", t.a.cfg.Process.LoginReply(err), "pop3")
	}
	return nil
}

// errTooManyTrials: too many wrong passwords were tested lately.
var errTooManyTrials = errors.New("too many wrong passwords were tested: try again later")

// Limits of wrong passwords in tests, of all callers together: a test must not find a password.
const (
	maxGuesses  = 10
	guessesBack = 10 * time.Second // one more guess in each
)

// newGuesses returns the limit of wrong passwords.
func newGuesses() *rate.Limiter { return rate.NewLimiter(rate.Every(guessesBack), maxGuesses) }
