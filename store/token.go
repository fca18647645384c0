package store

import (
	"context"
	"time"
)

// Token is an access token of the administration API, as stored: a hash, never the secret. Package
// token owns the meaning of roles and scopes.
type Token struct {
	// ID names the token.
	ID string
	// Hash is the SHA-256 hash of the secret.
	Hash [32]byte
	Role string
	// Scopes lists the parts of the directory that the token may reach, sorted.
	Scopes []string
	// Note is a text for people.
	Note string
	// Maker is the ID of the token that made this token, or the name of another way in.
	Maker string
	// Created is the time of the creation, to the microsecond.
	Created time.Time
	// Expires is the end of the token, to the microsecond. Zero: the token does not expire.
	Expires time.Time
	// Revoked is the time of a revocation, to the microsecond. Zero: the token is not revoked.
	Revoked time.Time
	// Used is the time of a recent use, to the microsecond. Zero: no use is known.
	Used time.Time
}

// Tokens stores the access tokens of the administration API, few enough to be listed whole.
//
// A token is a two-phase set: AddToken writes the token once, RevokeToken adds a mark that no call
// removes. The mark counts also if it arrives before the token. So the order of arrival and the clocks
// have no influence: a revoked token stays revoked.
type Tokens interface {
	// ListTokens returns all tokens, also revoked and expired tokens, by ID. While a part of the store cannot be read, the
	// list beside the error has the tokens of the other parts. Errors: ErrUnavailable, ErrCorrupt.
	ListTokens(ctx context.Context) ([]Token, error)
	// AddToken stores a token, durably, without its Revoked and Used. Repeating AddToken with the same
	// token changes nothing. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	AddToken(ctx context.Context, t Token) error
	// RevokeToken marks a token as revoked, durably and permanently, also while the clock is not
	// trusted. An unknown ID is no error. Errors: ErrUnavailable, ErrOutcomeUnknown; the call may be
	// repeated. A full disk should not make RevokeToken fail.
	RevokeToken(ctx context.Context, id string, at time.Time) error
	// UseToken notes a use of a token; the latest use stays. A lost note does no harm. Errors: ErrFull, ErrUnavailable,
	// ErrOutcomeUnknown.
	UseToken(ctx context.Context, id string, at time.Time) error
}
