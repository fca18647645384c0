package account

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"popelago/store"
)

// Bounds of the cost of a password hash that an administrator brings: a login pays for the hash.
const (
	maxArgon2Memory  = 256 << 10 // KiB
	maxArgon2Time    = 16
	maxArgon2Threads = 16
	maxBcryptCost    = 14
	maxSHARounds     = 1_000_000
)

// hashLimits finds the costs in the forms of hashes, and their bounds.
func hashLimits() []hashLimit {
	return []hashLimit{
		{regexp.MustCompile(`^\$argon2id\$v=\d+\$m=(\d+),`), maxArgon2Memory},
		{regexp.MustCompile(`^\$argon2id\$v=\d+\$m=\d+,t=(\d+),`), maxArgon2Time},
		{regexp.MustCompile(`^\$argon2id\$v=\d+\$m=\d+,t=\d+,p=(\d+)\$`), maxArgon2Threads},
		{regexp.MustCompile(`^\$2[abxy]\$(\d+)\$`), maxBcryptCost},
		{regexp.MustCompile(`^\$[56]\$rounds=(\d+)\$`), maxSHARounds},
	}
}

type hashLimit struct {
	cost *regexp.Regexp
	most int
}

// checkHash returns the reason to refuse the stored form of a password, or nil: argon2id, bcrypt, SHA-256 or
// SHA-512 crypt, with a bounded cost. Errors: ErrBadPassword. No error quotes the hash.
func (p *passwords) checkHash(hash string) error {
	if len(hash) > MaxPassword {
		return fmt.Errorf("%w: the hash is longer than %d octets", ErrBadPassword, MaxPassword)
	}
	for _, l := range hashLimits() {
		if m := l.cost.FindStringSubmatch(hash); m != nil {
			if n, err := strconv.Atoi(m[1]); err != nil || n > l.most {
				return fmt.Errorf("%w: the hash costs too much at each login: at most %d", ErrBadPassword, l.most)
			}
		}
	}
	if _, err := p.decoder.Decode(hash); err != nil {
		return fmt.Errorf("%w: the hash is not of the form argon2id, bcrypt, SHA-256 or SHA-512 crypt", ErrBadPassword)
	}
	return nil
}

// same reports whether a password is the password of a row, for a cost of one hash. A stored hash of an unknown
// form fits no password.
func (p *passwords) same(ctx context.Context, row store.Address, password string) (bool, error) {
	release, err := p.queue.turn(ctx, seat{class: classKnown})
	if err != nil {
		return false, err
	}
	defer release()
	err = p.verify(row, password)
	if errors.Is(err, ErrBadCredentials) || errors.Is(err, store.ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}
