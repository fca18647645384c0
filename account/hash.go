package account

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"

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

// hashForm is a form in which the library writes a hash, with the costs in parentheses.
type hashForm struct {
	form *regexp.Regexp
	// brought bounds the costs of a hash that an administrator brings, and stored of any hash: a server made the hash with the
	// settings of its time.
	brought, stored []int
}

func hashForms() []hashForm {
	return []hashForm{
		{regexp.MustCompile(`^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$`), []int{maxArgon2Memory, maxArgon2Time, maxArgon2Threads}, []int{1 << 20, 1000, 64}},
		{regexp.MustCompile(`^\$2[abxy]\$(\d+)\$`), []int{maxBcryptCost}, []int{maxBcryptCost}},
		{regexp.MustCompile(`^\$[56]\$rounds=(\d+)\$`), []int{maxSHARounds}, []int{maxSHARounds}},
		{regexp.MustCompile(`^\$[56]\$`), nil, nil}, // 5,000 rounds
	}
}

// decode returns the digest of the stored form of a password: argon2id, bcrypt, SHA-256 or SHA-512 crypt, with a bounded cost.
// The library reads costs in several spellings, and writes them in one: decode judges what the library would write. Errors:
// errHashForm, errHashCost. No error quotes the hash.
func (p *passwords) decode(hash string, bounds func(hashForm) []int) (algorithm.Digest, error) {
	digest, err := p.decoder.Decode(hash)
	if err != nil {
		return nil, errHashForm // the error of the library may quote the hash
	}
	written := digest.Encode()
	for _, f := range p.forms {
		costs := f.form.FindStringSubmatch(written)
		if costs == nil {
			continue
		}
		for i, most := range bounds(f) {
			if n, err := strconv.Atoi(costs[1+i]); err != nil || n > most {
				return nil, fmt.Errorf("%w: at most %d", errHashCost, most)
			}
		}
		return digest, nil
	}
	return nil, errHashForm
}

// schemePrefix is the name that Dovecot and LDAP servers write before a hash in the form of crypt, such as {SHA512-CRYPT}.
var schemePrefix = regexp.MustCompile(`^\{[A-Za-z0-9-]+\}\$`)

// withoutScheme returns a hash without the name of its scheme: the hash itself has the scheme.
func withoutScheme(hash string) string {
	if prefix := schemePrefix.FindString(hash); prefix != "" {
		return hash[len(prefix)-1:]
	}
	return hash
}

var (
	errHashForm = errors.New("the hash is not of the form argon2id, bcrypt, SHA-256 or SHA-512 crypt")
	errHashCost = errors.New("the hash costs too much at each login")
	errHashCut  = errors.New("the hash is cut short, and fits no password")
)

// isWhole reports whether the key of a hash in the form of the library has its length. Files and fields of databases that
// are too short cut hashes, and the library accepts a key of any length.
func isWhole(written string) bool {
	key := len(written) - 1 - strings.LastIndexByte(written, '$')
	switch {
	case strings.HasPrefix(written, "$5$"):
		return key == 43
	case strings.HasPrefix(written, "$6$"):
		return key == 86
	case strings.HasPrefix(written, "$argon2id$"): // of any length; in practice 16, 32 or 64 octets
		octets := base64.RawStdEncoding.DecodedLen(key)
		return octets >= 16 && octets%4 == 0
	}
	return true // the library requires the length of bcrypt
}

// checkHash returns the reason to refuse the stored form of a password that an administrator brings, or nil. Errors:
// ErrBadPassword. No error quotes the hash.
func (p *passwords) checkHash(hash string) error {
	if len(hash) > MaxPassword {
		return fmt.Errorf("%w: the hash is longer than %d octets", ErrBadPassword, MaxPassword)
	}
	digest, err := p.decode(hash, func(f hashForm) []int { return f.brought })
	if err == nil && !isWhole(digest.Encode()) {
		err = errHashCut
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadPassword, err)
	}
	return nil
}

// same reports whether a password is the password of a row, for a cost of one hash with the claim s to a turn. A stored
// hash of an unknown form fits no password.
func (p *passwords) same(ctx context.Context, row store.Address, password string, s seat) (bool, error) {
	release, err := p.queue.turn(ctx, s)
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
