package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"popelago/mail"
	"popelago/store"
)

// expansion finds the accounts behind an address.
//
// The rules, in this order, for the address of RCPT and for every target:
//
//  1. the account, alias or group with the address;
//  2. with Settings delimiter: the address without its tag;
//  3. with Settings alias_of: the same local-part in the real domain, by rules 1 and 2;
//  4. for the address of RCPT only: the catch-all of the domain, or of the real domain.
//
// Each alias and group is visited once, so that a loop ends. Config.MaxAliasDepth and
// Config.MaxAliasAccounts limit the work; an expansion beyond a limit fails as a whole.
//
// An expansion that misses an account is repeated: first with rows read from the store, then with rows
// from every datacenter. Only then a client gets a permanent refusal, and a group goes without a member.
type expansion struct {
	d     *Directory
	named mail.Address // as given
	// proposed takes the place of the stored entry of its address; nil: no entry is proposed.
	proposed *entry

	// lookup is the source of entries in the present pass, domainAgain of settings of domains.
	lookup      func(context.Context, mail.Address) (*entry, error)
	domainAgain store.Domains           // nil: the cache
	domains     map[string]store.Domain // read from domainAgain
	local       map[mail.Address]*entry // rows of the local datacenter; nil: no live row
	cached      bool                    // local has an entry from a cache
	refused     map[mail.Address]error  // accounts without permission, after every datacenter was asked
	ended       map[mail.Address]bool   // accounts that have ended meanwhile

	// The state of one pass.
	path     []mail.Address // from the named address to the present one, canonical
	visited  map[mail.Address]bool
	taken    map[mail.MailboxID]bool
	found    []mail.Recipient
	steps    []Step
	loops    [][]mail.Address
	missing  []mail.Address // targets without an account
	disabled []error        // the refusals of accounts
	excess   error          // a limit is exceeded
}

func newExpansion(d *Directory, named mail.Address) *expansion {
	return &expansion{d: d, named: named, local: map[mail.Address]*entry{}, refused: map[mail.Address]error{}, ended: map[mail.Address]bool{}}
}

// note remembers a row of the local datacenter.
func (x *expansion) note(a mail.Address, e *entry, cached bool) {
	x.local[a] = e
	x.cached = x.cached || cached
}

// run expands the named address.
func (x *expansion) run(ctx context.Context) ([]mail.Recipient, error) {
	x.lookup = x.fromCache
	if err := x.pass(ctx); err != nil {
		return nil, err
	}
	if x.lacking() {
		if err := x.runUncached(ctx); err != nil {
			return nil, err
		}
	}
	return x.result(ctx)
}

// runUncached makes the second pass, and the third if necessary.
func (x *expansion) runUncached(ctx context.Context) error {
	if !x.d.store.Several {
		x.domainAgain = x.d.store.Local
	}
	x.lookup = x.within(x.fromStore)
	if err := x.pass(ctx); err != nil || !x.lacking() || !x.d.store.Several {
		return err
	}
	x.domainAgain = x.d.store.Each
	x.lookup = x.within(x.fromEach)
	return x.pass(ctx)
}

// within adds the proposed entry to a lookup.
func (x *expansion) within(lookup func(context.Context, mail.Address) (*entry, error)) func(context.Context, mail.Address) (*entry, error) {
	if x.proposed == nil {
		return lookup
	}
	return func(ctx context.Context, a mail.Address) (*entry, error) {
		if a == x.proposed.row.Address {
			return x.proposed, nil
		}
		return lookup(ctx, a)
	}
}

// fromCache is the lookup of the first pass.
func (x *expansion) fromCache(ctx context.Context, a mail.Address) (*entry, error) {
	if e, known := x.local[a]; known {
		return e, nil
	}
	e, cached, err := x.d.findOrMiss(ctx, a)
	if err == nil {
		x.note(a, e, cached)
	}
	return e, err
}

// fromStore is the lookup of the second pass. Without cached entries the first pass has read the store.
func (x *expansion) fromStore(ctx context.Context, a mail.Address) (*entry, error) {
	if e, known := x.local[a]; known && !x.cached {
		return e, nil
	}
	e, err := x.d.read(ctx, a)
	if err == nil {
		x.local[a] = e
	}
	return e, err
}

// fromEach is the lookup of the third pass. An account is not looked up again: before a refusal recipient
// has asked every datacenter.
func (x *expansion) fromEach(ctx context.Context, a mail.Address) (*entry, error) {
	e, known := x.local[a]
	if !known {
		var err error
		if e, err = x.d.read(ctx, a); err != nil {
			return nil, err
		}
	}
	if e.isAccount() && !x.ended[a] {
		return e, nil
	}
	return x.d.readElsewhere(ctx, a, e)
}

// pass visits the named address.
func (x *expansion) pass(ctx context.Context) error {
	x.domains = map[string]store.Domain{}
	x.path, x.found, x.steps, x.loops, x.missing, x.disabled, x.excess = nil, nil, nil, nil, nil, nil, nil
	x.visited, x.taken = map[mail.Address]bool{}, map[mail.MailboxID]bool{}
	return x.visit(ctx, x.named, true)
}

// lacking reports whether the pass missed an account.
func (x *expansion) lacking() bool {
	return len(x.missing) > 0 || len(x.disabled) > 0 || len(x.found) == 0
}

// visit adds the accounts behind an address. first marks the address of RCPT.
func (x *expansion) visit(ctx context.Context, a mail.Address, first bool) error {
	at, err := x.locate(ctx, a, first)
	if err != nil {
		return err
	}
	e, final, rule := at.entry, at.final, at.rule
	step := Step{Depth: len(x.path), Address: a, Rule: rule, Domain: at.domain}
	switch {
	case e == nil && rule == RuleCatchAll:
		step.Result, step.Targets = string(store.KindAlias), []mail.Address{final}
		return x.follow(ctx, step, a.Canonical())
	case e == nil:
		step.Result = ResultMissing
		x.missing = append(x.missing, a)
	case !e.isAccount():
		step.Result, step.Targets = string(e.row.Kind), e.row.Targets
		return x.follow(ctx, step, e.row.Address)
	default:
		return x.take(ctx, step, e, final)
	}
	x.steps = append(x.steps, step)
	return nil
}

// take adds an account.
func (x *expansion) take(ctx context.Context, step Step, e *entry, final mail.Address) error {
	r, err := x.recipient(ctx, e, final)
	switch {
	case errors.Is(err, ErrDisabled):
		step.Result = ResultDisabled
		x.disabled = append(x.disabled, err)
	case err != nil:
		return err
	case r.Account.IsZero():
		step.Result = ResultMissing
		x.missing = append(x.missing, step.Address)
	case x.taken[r.Mailbox]:
		step.Result = ResultTwice
	case len(x.found) == x.d.cfg.MaxAliasAccounts:
		step.Result = ResultLimit
		x.excess = fmt.Errorf("%w: more than %d accounts", ErrMisdirected, x.d.cfg.MaxAliasAccounts)
	default:
		step.Result = string(store.KindAccount)
		x.taken[r.Mailbox] = true
		x.found = append(x.found, r)
	}
	x.steps = append(x.steps, step)
	return nil
}

// recipient is Directory.recipient for an account. One refusal of an account counts for all passes.
func (x *expansion) recipient(ctx context.Context, e *entry, final mail.Address) (mail.Recipient, error) {
	a := e.row.Address
	if refusal := x.refused[a]; refusal != nil {
		return mail.Recipient{}, refusal
	}
	r, err := x.d.recipient(ctx, final, e, x.cached)
	switch {
	case errors.Is(err, ErrDisabled):
		x.refused[a] = err
	case err == nil && r.Account.IsZero():
		x.ended[a] = true
	case err == nil && final != x.named:
		r.Original = x.named
	}
	return r, err
}

// follow visits the targets of an alias, a group or a catch-all, whose canonical address is a.
func (x *expansion) follow(ctx context.Context, step Step, a mail.Address) error {
	loop := slices.Index(x.path, a)
	switch {
	case loop >= 0:
		step.Result, step.Targets = ResultLoop, nil
		x.loops = append(x.loops, append(slices.Clone(x.path[loop:]), a))
	case x.visited[a]:
		step.Result, step.Targets = ResultTwice, nil
	case len(x.path) == x.d.cfg.MaxAliasDepth:
		step.Result, step.Targets = ResultLimit, nil
		x.excess = fmt.Errorf("%w: over more than %d aliases and groups", ErrMisdirected, x.d.cfg.MaxAliasDepth)
	}
	x.steps = append(x.steps, step)
	x.visited[a] = true
	x.path = append(x.path, a)
	defer func() { x.path = x.path[:len(x.path)-1] }()
	for _, target := range step.Targets {
		if x.excess != nil {
			return nil
		}
		if err := x.visit(ctx, target, false); err != nil {
			return err
		}
	}
	return nil
}

// result judges the last pass.
func (x *expansion) result(ctx context.Context) ([]mail.Recipient, error) {
	m := x.d.metrics.skipped
	switch {
	case x.excess != nil:
		x.complain("mail for an address is deferred: its aliases and groups lead too far", "cause", x.excess)
		return nil, x.excess
	case len(x.found) > 0:
		m.WithLabelValues(ResultDisabled).Add(float64(len(x.disabled)))
		m.WithLabelValues(ResultMissing).Add(float64(len(x.missing)))
		if len(x.missing) > 0 {
			x.complain("an address leads to addresses without an account, which get no mail", "missing", names(x.missing))
		}
		return x.found, nil
	case len(x.loops) > 0:
		err := fmt.Errorf("%w: %s", ErrMisdirected, chain(x.loops[0]))
		x.complain("mail for an address is deferred: its aliases and groups lead back", "cause", err)
		return nil, err
	case len(x.disabled) > 0:
		return nil, x.disabled[0]
	}
	if len(x.steps) > 1 {
		x.complain("mail for an address is refused: its aliases and groups lead to no account", "missing", names(x.missing))
	}
	return nil, x.d.noRecipient(ctx, x.named.Canonical())
}

// complain logs a mistake in the directory, about once a minute.
func (x *expansion) complain(text string, args ...any) {
	x.d.misdirectedLog.Do(func() {
		x.d.cfg.Logger.Warn(text, append([]any{"address", mail.LogText(x.named.String())}, args...)...)
	})
}

// chain returns addresses as text, such as "a@example.org -> b@example.org".
func chain(path []mail.Address) string { return strings.Join(mail.AddressTexts(path), " -> ") }

// names returns addresses as text for the log.
func names(addresses []mail.Address) string {
	return mail.LogText(strings.Join(mail.AddressTexts(addresses), ","))
}
