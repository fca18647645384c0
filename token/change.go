package token

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"popelago/mail"
	"popelago/store"
)

// maxNote is the largest size of a note, in octets.
const maxNote = 500

// Order asks for a token.
type Order struct {
	Rights
	// Lifetime is the time until the expiry. Zero: the token does not expire.
	Lifetime time.Duration
	// Note is a text for people, up to 500 octets.
	Note string
}

// Add makes a token for a caller, and returns the token and its secret, which nobody can read again.
// The rights and the expiry stay within the caller's own.
//
// Add reads the caller's token again after the write, and revokes the new token if the caller was revoked
// meanwhile. So every token that a caller made is in the list of a revocation that began before, or its
// secret stays unknown.
//
// Errors: ErrBadRequest, ErrForbidden, ErrTooManyTokens, ErrRevoked if the caller was revoked, the store's.
// After an error of the store there may be a token with a secret that nobody knows: List shows it.
func (k *Keeper) Add(ctx context.Context, by Caller, o Order) (t store.Token, secret string, err error) {
	if err := checkNote(o.Note); err != nil {
		return t, "", err
	}
	now := k.cfg.Now().UTC().Truncate(time.Microsecond)
	t = store.Token{Role: string(o.Role), Scopes: o.Scopes(), Note: o.Note, Maker: by.ID, Created: now}
	if o.Lifetime < 0 {
		return t, "", fmt.Errorf("%w: the lifetime is negative", ErrBadRequest)
	}
	if o.Lifetime > 0 {
		t.Expires = now.Add(o.Lifetime)
	}
	if err := within(by, o.Rights, t.Expires); err != nil {
		return t, "", err
	}
	if err := k.checkCount(ctx, now); err != nil {
		return t, "", err
	}
	secret = newSecret()
	if t.Hash, err = hashOf(secret); err != nil {
		return t, "", err
	}
	t.ID = idOf(t.Hash)
	defer k.changed()
	_, err = k.store.Durably(mail.DurabilityEachOrLocal, func(st store.Directory) error { return st.AddToken(ctx, t) })
	if err != nil {
		return store.Token{}, "", fmt.Errorf("token: add a token: %w", err)
	}
	if err := k.revokeWithMaker(ctx, t); err != nil {
		return store.Token{}, "", err
	}
	return t, secret, nil
}

// revokeWithMaker revokes a new token whose maker was revoked. Errors: ErrRevoked if so, the store's.
func (k *Keeper) revokeWithMaker(ctx context.Context, t store.Token) error {
	tokens, _, err := k.everywhere(ctx)
	if err != nil {
		return fmt.Errorf("token: look up the maker of %s: %w", t.ID, err)
	}
	if !slices.ContainsFunc(tokens, func(maker store.Token) bool { return maker.ID == t.Maker && !maker.Revoked.IsZero() }) {
		return nil
	}
	if _, err := k.mark(ctx, []store.Token{t}, []string{t.ID}); err != nil {
		return err
	}
	return ErrRevoked
}

// everywhere lists the tokens of all datacenters, and those of the local datacenter alone (all is false)
// while another cannot be read: tokens are then written in the local datacenter, too.
func (k *Keeper) everywhere(ctx context.Context) (tokens []store.Token, all bool, err error) {
	if k.store.Several {
		if tokens, err = k.store.Each.ListTokens(ctx); err == nil {
			return tokens, true, nil
		}
	}
	tokens, err = k.store.Local.ListTokens(ctx)
	return tokens, !k.store.Several, err
}

func checkNote(note string) error {
	switch {
	case len(note) > maxNote:
		return fmt.Errorf("%w: the note has %d octets, %d are possible", ErrBadRequest, len(note), maxNote)
	case !utf8.ValidString(note) || strings.ContainsFunc(note, func(r rune) bool { return r < ' ' || r == 0x7F }):
		return fmt.Errorf("%w: the note has control characters", ErrBadRequest)
	}
	return nil
}

// within checks that rights and expiry of a new token go not beyond those of its maker.
func within(by Caller, rights Rights, expires time.Time) error {
	switch {
	case !by.Covers(rights):
		return fmt.Errorf("%w: the new token would have rights that its maker lacks", ErrForbidden)
	case !by.Expires.IsZero() && (expires.IsZero() || expires.After(by.Expires)):
		return fmt.Errorf("%w: the new token would outlast its maker, which expires at %s", ErrForbidden, by.Expires.Format(time.RFC3339))
	}
	return nil
}

// checkCount checks the number of tokens in force. Two servers at once may pass the limit by a few.
func (k *Keeper) checkCount(ctx context.Context, now time.Time) error {
	tokens, err := k.store.Local.ListTokens(ctx)
	if err != nil {
		return fmt.Errorf("token: count the tokens: %w", err)
	}
	n := 0
	for _, t := range tokens {
		if InForce(t, now) {
			n++
		}
	}
	if n >= k.cfg.MaxTokens {
		return fmt.Errorf("%w (%d)", ErrTooManyTokens, n)
	}
	return nil
}

// InForce reports whether a token is neither revoked nor expired.
func InForce(t store.Token, now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// List returns the tokens whose rights lie within those of a caller, by id, read from the store. all
// includes revoked and expired tokens.
func (k *Keeper) List(ctx context.Context, by Caller, all bool) ([]store.Token, error) {
	tokens, err := k.store.Local.ListTokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("token: list the tokens: %w", err)
	}
	now := k.cfg.Now()
	seen := []store.Token{}
	for _, t := range tokens {
		if visible(by, t) && (all || InForce(t, now)) {
			seen = append(seen, t)
		}
	}
	return seen, nil
}

// visible reports whether a caller may see and revoke a token. A token with rights of a later version
// is visible to a caller with all rights.
func visible(by Caller, t store.Token) bool {
	if by.Role == Admin && by.All {
		return true
	}
	rights, err := ParseRights(t.Role, t.Scopes)
	return err == nil && by.Covers(rights)
}

// Revoke ends a token, permanently, and with made also the tokens that it made, the tokens that those
// made, and so on. Revoke returns the ids, and whether every datacenter has the marks already.
// Repeating Revoke changes nothing.
//
// Errors: ErrNoSuchToken, the store's; the call may be repeated.
func (k *Keeper) Revoke(ctx context.Context, by Caller, id string, made bool) (ids []string, everywhere bool, err error) {
	tokens, err := k.tokensFor(ctx, id)
	if err != nil {
		return nil, false, err
	}
	if !visible(by, tokens[slices.IndexFunc(tokens, func(t store.Token) bool { return t.ID == id })]) {
		return nil, false, fmt.Errorf("token %s: %w", id, ErrNoSuchToken)
	}
	defer k.changed()
	// The makers first: Add looks at the maker after the write. A token that is missing from a list read
	// behind the mark of its maker is no token that anybody uses.
	ids, everywhere = []string{id}, true
	for next := ids; len(next) > 0; {
		too, err := k.mark(ctx, tokens, next)
		if everywhere = everywhere && too; err != nil || !made {
			return ids, everywhere, err
		}
		if tokens, too, err = k.everywhere(ctx); err != nil {
			return nil, false, fmt.Errorf("token: list the tokens that %s made: %w", id, err)
		}
		everywhere = everywhere && too
		all := tree(tokens, id)
		next = slices.DeleteFunc(slices.Clone(all), func(one string) bool { return slices.Contains(ids, one) })
		ids = all
	}
	return ids, everywhere, nil
}

// mark revokes tokens. A token revoked before keeps its time; its mark is written again, because a
// datacenter may lack the mark.
func (k *Keeper) mark(ctx context.Context, tokens []store.Token, ids []string) (everywhere bool, err error) {
	everywhere = true
	for _, t := range tokens {
		if !slices.Contains(ids, t.ID) {
			continue
		}
		at := t.Revoked
		if at.IsZero() {
			at = k.cfg.Now().UTC()
		}
		reached, err := k.store.Durably(mail.DurabilityEachOrLocal, func(st store.Directory) error {
			return st.RevokeToken(ctx, t.ID, at)
		})
		if err != nil {
			return false, fmt.Errorf("token: revoke %s: %w", t.ID, err)
		}
		everywhere = everywhere && reached != mail.ReachedFallback
	}
	return everywhere, nil
}

// tokensFor returns tokens with id among them, from the other datacenters too if the local datacenter lacks id: all tokens,
// or those that can be read. Errors: ErrNoSuchToken, the store's.
func (k *Keeper) tokensFor(ctx context.Context, id string) ([]store.Token, error) {
	for _, st := range []store.Directory{k.store.Local, k.store.Each} {
		tokens, err := st.ListTokens(ctx)
		if slices.ContainsFunc(tokens, func(t store.Token) bool { return t.ID == id }) {
			return tokens, nil // also if a part of the store cannot be read: Check accepts the token
		}
		if err != nil {
			return nil, fmt.Errorf("token: look up %s: %w", id, err)
		}
	}
	return nil, fmt.Errorf("token %s: %w", id, ErrNoSuchToken)
}

// tree returns id, and the ids of all tokens made by tokens in the result.
func tree(tokens []store.Token, id string) []string {
	ids := []string{id}
	for i := 0; i < len(ids); i++ {
		for _, t := range tokens {
			if t.Maker == ids[i] && !slices.Contains(ids, t.ID) {
				ids = append(ids, t.ID)
			}
		}
	}
	return ids
}
