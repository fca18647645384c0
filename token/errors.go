package token

import (
	"errors"
	"fmt"
)

// Errors of Keeper.Check. HTTP answers 401, and 429 for ErrTooMany.
var (
	// ErrBadToken is wrapped by all errors about a secret without rights.
	ErrBadToken = errors.New("a valid token is needed")
	// ErrMalformed: the secret has not the form of a token, or a wrong checksum.
	ErrMalformed = fmt.Errorf("%w: this is no token of popelago, or it is mistyped or incomplete", ErrBadToken)
	// ErrUnknown: no datacenter knows the token.
	ErrUnknown = fmt.Errorf("%w: the token is not known", ErrBadToken)
	// ErrRevoked: the token was revoked.
	ErrRevoked = fmt.Errorf("%w: the token was revoked", ErrBadToken)
	// ErrExpired: the token has expired.
	ErrExpired = fmt.Errorf("%w: the token has expired", ErrBadToken)
	// ErrTooMany: the address of the client has sent too many wrong tokens. The token was not looked for.
	ErrTooMany = errors.New("too many wrong tokens from this address: try again later")
)

// Errors of changes and of rights.
var (
	// ErrForbidden: the caller lacks a right. HTTP answers 403.
	ErrForbidden = errors.New("not permitted")
	// ErrBadRequest: a role, scope, lifetime or note cannot be used. HTTP answers 400.
	ErrBadRequest = errors.New("token cannot be made")
	// ErrNoSuchToken: the caller sees no token with this id. HTTP answers 404.
	ErrNoSuchToken = errors.New("no such token")
	// ErrTooManyTokens: Config.MaxTokens tokens are in force. HTTP answers 409.
	ErrTooManyTokens = errors.New("too many tokens are in force: revoke some")
)
