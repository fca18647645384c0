package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"popelago/mail"
	"popelago/store"
)

// LoginRequest holds the arguments of SignIn.
type LoginRequest struct {
	// Name is a full address, or a local-part of Config.DefaultDomain.
	Name, Password string
	// Remote is the client's address. The zero address, a loopback address (unless
	// Config.CountLocal) and an address in Config.TrustedNetworks have no penalties.
	Remote netip.Addr
	// Trial: an administrator tests the login, and neither penalties nor metrics count it.
	Trial bool
	// Reaches judges a domain for which the domain of the name stands, before anything is said about an account
	// there; its error is the error of SignIn. Nil: every domain is judged good.
	Reaches func(domain string) error
	// Waits is called before the login waits for a penalty or a turn to hash. The context returned
	// ends when the client hangs up; the function returned is called after the wait. Nil: only the
	// context of SignIn ends a wait.
	Waits func(context.Context) (context.Context, func())
}

// attempt is a LoginRequest in progress.
type attempt struct {
	LoginRequest
	address mail.Address // canonical
	valid   bool         // address is one
	from    client
	account uint64 // see loginKey
	// known: the account has logged in from this address lately, with the combination proven.
	known  bool
	proven guess

	admitted bool  // by penalties
	reserved bool  // the penalty is paid: no further penalty applies
	guess    guess // the combination checked last
	stranger bool  // the name has no account
}

// SignIn checks a login name and password.
//
// A failed login counts for the places of its client: see penalties. A login waits for its penalty,
// and for a turn to hash, until the client hangs up.
//
// Errors: ErrBadCredentials, which wraps ErrNoSuchAccount for an unknown name (for the log:
// clients must not see the difference); ErrDisabled (after the right password only);
// ErrTooManyFailures and ErrBusy, before the password is checked; that of Reaches; errors of the store, wrapped; the
// cause of the end of the context, wrapped, if the context ended during a wait.
func (d *Directory) SignIn(ctx context.Context, a LoginRequest) (Login, error) {
	t := &attempt{LoginRequest: a, from: d.client(a.Remote)}
	t.address, t.valid = d.LoginAddress(a.Name)
	name := a.Name
	if t.valid {
		name = t.address.String()
	}
	t.account = loginKey(d.penalties.seed, name)
	if d.counts(t) {
		t.proven, t.known = d.penalties.lastLogin(t.from, t.account, d.cfg.Now())
	}
	l, cached, err := d.signIn(ctx, t)
	if d.counts(t) {
		d.remember(t, err)
	}
	if errors.Is(err, ErrBusy) {
		d.busyLog.Do(func() {
			d.cfg.Logger.Warn("logins are refused: too many logins wait for a password hash", "places", d.cfg.MaxWaitingHashes)
		})
	}
	if !a.Trial {
		d.metrics.logins.WithLabelValues(loginResult(err, cached)).Inc()
	}
	return l, err
}

func (d *Directory) signIn(ctx context.Context, t *attempt) (_ Login, remembered bool, err error) {
	// Under a penalty, only a login from a known address of the account may be compared with a
	// remembered password: otherwise the penalty would not limit such guesses.
	if !t.known {
		if err := d.admit(ctx, t); err != nil {
			return Login{}, false, err
		}
	}
	return d.authenticate(ctx, t)
}

// remember counts a failure or notes a successful login.
func (d *Directory) remember(t *attempt, err error) {
	now := d.cfg.Now()
	switch {
	case err == nil:
		d.penalties.succeeded(t.from, t.account, t.guess, now)
	case errors.Is(err, ErrBadCredentials):
		if d.penalties.failed(t.from, t.account, t.guess, now) {
			d.cfg.Logger.Warn("logins from an address are held back: too many have failed", "remote", t.from.address.String())
		}
	case errors.Is(err, errLeft):
		d.penalties.leftQueue(t.from, now)
	}
}

func (d *Directory) counts(t *attempt) bool {
	return !t.Trial && t.from.counted() && !d.penalties.off()
}

// refused returns ErrBadCredentials, which for a name without an account wraps ErrNoSuchAccount.
func (t *attempt) refused() error {
	if t.stranger {
		return fmt.Errorf("%w: %w", ErrBadCredentials, ErrNoSuchAccount)
	}
	return ErrBadCredentials
}

// admit waits for the penalty of a login. Errors: ErrTooManyFailures; the cause of the end of ctx.
func (d *Directory) admit(ctx context.Context, t *attempt) error {
	if t.admitted || !d.counts(t) {
		return nil
	}
	wait, reserved, ok := d.penalties.admit(t.from, t.account, t.known, d.cfg.Now())
	if !ok {
		return fmt.Errorf("account: %w: %v to go", ErrTooManyFailures, wait.Round(time.Second))
	}
	t.admitted, t.reserved = true, reserved || wait > 0
	if wait <= 0 {
		return nil
	}
	if t.Waits != nil {
		var done func()
		ctx, done = t.Waits(ctx)
		defer done()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("account: wait for a penalty to pass: %w", context.Cause(ctx))
	}
}

// turn waits until the login may hash. The caller calls release after the hash. Logins that began
// together, before the first of them had failed, get their penalty here.
func (d *Directory) turn(ctx context.Context, t *attempt) (release func(), err error) {
	for {
		if err := d.admit(ctx, t); err != nil {
			return nil, err
		}
		release, err := d.passwords.queue.turn(ctx, d.seat(t))
		if err != nil {
			return nil, err
		}
		if t.reserved || !d.counts(t) || !d.penalties.heldBack(t.from, t.account, t.known, d.cfg.Now()) {
			return release, nil
		}
		release()
		t.admitted = false
	}
}

func (d *Directory) seat(t *attempt) seat {
	s := seat{from: t.from, class: classClean, waits: t.Waits}
	switch {
	case t.known:
		s.class = classKnown
	case d.counts(t) && d.penalties.suspect(t.from, d.cfg.Now()):
		s.class = classSuspect
	}
	return s
}

// key names the combination of a row and the password of the login. Without a row the key contains
// the login name.
func (d *Directory) key(e *entry, t *attempt) credentialKey {
	if e == nil {
		row := store.Address{Address: t.address}
		if !t.valid {
			row.Address.Local = t.Name
		}
		return d.verified.key(row, t.Password)
	}
	return d.verified.key(e.row, t.Password)
}

// loginResult returns the label of a login in the metrics.
func loginResult(err error, cached bool) string {
	switch {
	case errors.Is(err, ErrBadCredentials):
		return "bad_credentials"
	case errors.Is(err, ErrDisabled):
		return "disabled"
	case errors.Is(err, ErrTooManyFailures):
		return "held_back"
	case errors.Is(err, ErrBusy):
		return "busy"
	case err != nil:
		return "error"
	case cached:
		return "ok_cached"
	}
	return "ok"
}
