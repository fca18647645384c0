package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"popelago/mail"
	"popelago/store"
)

// Step is a step of an expansion, for people.
type Step struct {
	// Depth counts the aliases and groups on the way.
	Depth   int
	Address mail.Address
	// Result is the kind of the address, or the reason why the address is a dead end.
	Result string
	// Rule names the rule behind the address; empty: the address itself exists.
	Rule string
	// Domain is the domain whose addresses and rules decided: the real domain where the domain of Address is a
	// domain alias and has no entry for the address.
	Domain string
	// Targets of an alias or a group.
	Targets []mail.Address
}

// Results of a step, besides the kinds of an address.
const (
	ResultMissing  = "missing"
	ResultDisabled = "disabled"
	ResultLoop     = "loop"
	ResultTwice    = "visited already"
	ResultLimit    = "beyond a limit"
)

// Rules that find an address.
const (
	RuleSubaddress = "subaddress"
	RuleAliasOf    = "domain alias"
	RuleCatchAll   = "catch-all"
)

// Explanation says where mail for an address goes.
type Explanation struct {
	Steps []Step
	// Recipients of the mail, as Expand returns them.
	Recipients []mail.Recipient
	// Err is the error of Expand.
	Err error
}

// Explain is Expand for people, and reads every row from the store. Err is nil, ErrNoSuchRecipient,
// ErrNotHosted, ErrDisabled or ErrMisdirected. Errors: mail.ErrBadAddress, the store's.
func (d *Directory) Explain(ctx context.Context, a mail.Address) (Explanation, error) {
	if err := a.Validate(); err != nil {
		return Explanation{}, err
	}
	x := newExpansion(d, a)
	x.cached = true
	if err := x.runUncached(ctx); err != nil {
		return Explanation{}, err
	}
	out := Explanation{Steps: x.steps}
	out.Recipients, out.Err = x.result(ctx)
	for _, known := range []error{nil, ErrNoSuchRecipient, ErrDisabled, ErrMisdirected} {
		if errors.Is(out.Err, known) {
			return out, nil
		}
	}
	return Explanation{}, out.Err
}

// checkTargets checks a new set of targets of an alias or group with the canonical address a, of which some
// are added: every added target leads to an account, alias or group, and no target leads back to a. The
// zero address stands for a catch-all. Errors: ErrBadTarget, the store's.
func (d *Directory) checkTargets(ctx context.Context, a mail.Address, kind store.AddressKind, targets, added []mail.Address) error {
	x := newExpansion(d, a)
	x.cached = true
	x.proposed = &entry{row: store.Address{Address: a, Kind: kind, Targets: targets}}
	if err := x.runUncached(ctx); err != nil {
		return err
	}
	for _, loop := range x.loops {
		if slices.Contains(loop, a) {
			return fmt.Errorf("%w: %s", ErrBadTarget, chain(loop))
		}
	}
	if x.excess != nil {
		return fmt.Errorf("%w: %w", ErrBadTarget, x.excess)
	}
	missing := slices.DeleteFunc(slices.Clone(added), func(t mail.Address) bool { return !x.deadEnd(t) })
	if len(missing) > 0 {
		return fmt.Errorf("%w: no account, alias or group has the address %s", ErrBadTarget, missing[0])
	}
	return nil
}

// deadEnd reports whether a target of the named address is missing.
func (x *expansion) deadEnd(target mail.Address) bool {
	return slices.ContainsFunc(x.steps, func(s Step) bool { return s.Depth == 1 && s.Address == target && s.Result == ResultMissing })
}
