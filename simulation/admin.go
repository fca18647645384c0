package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
)

// domain is the hosted domain.
const domain = "example.test"

// errSame: a datacenter that knows neither the account before nor its removal has made the same account once more. The
// documents ask administrators to remove an account and to make it again in the same datacenter; this one has not.
var errSame = errors.New("the account is that of an earlier owner")

// admin makes and removes accounts.
type admin struct {
	w    *World
	rand *rand.Rand
}

// run gives an address to a new owner now and then.
func (a *admin) run(ctx context.Context) {
	for event.Pause(ctx, draw(a.rand, a.w.cfg.OwnerEvery)) {
		for _, d := range a.w.choose(a.rand, 1) {
			a.change(context.WithoutCancel(ctx), d)
		}
	}
}

// change removes an account and makes it again for a new owner.
func (a *admin) change(ctx context.Context, d *drop) {
	if a.w.take(d) {
		a.w.model.end(d)
		a.renew(ctx, d)
	}
}

// renew removes the account of a maildrop that no client has any more, and makes it again for a new owner.
func (a *admin) renew(ctx context.Context, d *drop) {
	err := a.until(ctx, func(s *server) error {
		err := s.directory.RemoveAccount(ctx, d.address)
		if errors.Is(err, account.ErrNoSuchAccount) {
			return nil
		}
		return err
	})
	a.w.story.add("account %s is removed: %v", d.name, short(err))
	if err == nil {
		a.make(ctx, d.address)
	}
}

// make makes an account. Its password is the name of its maildrop.
func (a *admin) make(ctx context.Context, address mail.Address) {
	d := a.w.model.newDrop(address, int(a.w.owners.Add(1)))
	tried := false
	err := a.until(ctx, func(s *server) error {
		made, err := s.directory.AddAccount(ctx, address, d.name)
		mailbox := made.Mailbox
		if errors.Is(err, account.ErrExists) && tried {
			// Either the own attempt, whose outcome was unknown, or the account before: its removal has not arrived
			// here, was lost with a datacenter, or met an even earlier account behind a cut.
			var login account.Login
			login, err = s.directory.SignIn(ctx, account.LoginRequest{Name: address.String(), Password: d.name, Remote: client})
			mailbox = login.Mailbox
			if errors.Is(err, account.ErrBadCredentials) {
				_ = s.directory.RemoveAccount(ctx, address)
			}
		}
		tried = true
		if err == nil && !a.w.model.made(d, mailbox, a.w.troubled()) {
			err = errors.Join(errSame, s.directory.RemoveAccount(ctx, address))
		}
		return err
	})
	a.w.story.add("account %s is made: %v", d.name, short(err))
	if err == nil {
		a.w.offer(d)
	}
}

// until tries at one server after the other until it succeeds, for a day.
func (a *admin) until(ctx context.Context, try func(*server) error) error {
	var err error
	for range 24 * 60 {
		s := a.w.server(a.rand, nil)
		if s == nil {
			err = errDied
		} else if err = s.afterwards(try(s)); err == nil {
			return nil
		}
		if !event.Pause(ctx, time.Minute) {
			break
		}
	}
	return fmt.Errorf("for a day: %w", err)
}
