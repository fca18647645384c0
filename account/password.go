package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"

	"popelago/store"
)

// MaxPassword is the longest password in octets.
const MaxPassword = 4096

// passwords makes and compares password hashes, a bounded number at one time.
type passwords struct {
	queue   *queue
	hasher  *argon2.Hasher
	decoder *crypt.Decoder
	forms   []hashForm
	// dummy is a hash of the usual cost that fits no password.
	dummy   algorithm.Digest
	metrics *metrics
	// hashed is called for each hash computed; tests count with it.
	hashed func()
}

func newPasswords(cfg Config, m *metrics) (*passwords, error) {
	hasher, err := argon2.New(
		argon2.WithVariantID(),
		argon2.WithMemoryInKiB(cfg.Argon2Memory),
		argon2.WithIterations(cfg.Argon2Time),
		argon2.WithParallelism(cfg.Argon2Threads),
		argon2.WithSaltLength(16),
		argon2.WithKeyLength(32),
	)
	if err != nil {
		return nil, err
	}
	decoder := crypt.NewDecoder()
	err = errors.Join(argon2.RegisterDecoderArgon2id(decoder),
		bcrypt.RegisterDecoderStandard(decoder), shacrypt.RegisterDecoder(decoder))
	if err != nil {
		return nil, err
	}
	// Random octets in the place of a key: no password leads to them.
	salt, key := make([]byte, 16), make([]byte, 32)
	rand.Read(salt)
	rand.Read(key)
	dummy, err := decoder.Decode(fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		cfg.Argon2Memory, cfg.Argon2Time, cfg.Argon2Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)))
	if err != nil {
		return nil, err
	}
	return &passwords{
		queue:   newQueue(cfg.MaxConcurrentHashes, cfg.MaxWaitingHashes, m),
		hasher:  hasher,
		decoder: decoder,
		forms:   hashForms(),
		dummy:   dummy,
		metrics: m,
		hashed:  func() {},
	}, nil
}

// count is called with a turn held, just before a hash is computed.
func (p *passwords) count() {
	p.metrics.hashes.Inc()
	p.hashed()
}

// refuse computes a hash for a password that cannot be right. The caller holds a turn.
func (p *passwords) refuse(password string) {
	p.count()
	p.dummy.Match(password)
}

// verify compares password with the stored hash of row. The caller holds a turn. Errors:
// ErrBadCredentials, or store.ErrCorrupt for a hash of an unknown form, or of a cost that no server can pay.
func (p *passwords) verify(row store.Address, password string) error {
	p.count()
	digest, err := p.decode(row.Password, func(f hashForm) []int { return f.stored })
	if err != nil {
		p.dummy.Match(password)
		return fmt.Errorf("account: password hash of %s: %w: %w", row.Address, err, store.ErrCorrupt)
	}
	// An error of the library is about the password (bcrypt accepts 72 octets at most).
	if ok, err := digest.MatchAdvanced(password); err != nil || !ok {
		return ErrBadCredentials
	}
	return nil
}

// hash returns the stored form of a new password: argon2id in PHC form. s is the claim to a turn: of classKnown for a
// person, who waits for the answer.
func (p *passwords) hash(ctx context.Context, password string, s seat) (string, error) {
	release, err := p.queue.turn(ctx, s)
	if err != nil {
		return "", err
	}
	defer release()
	p.count()
	digest, err := p.hasher.Hash(password)
	if err != nil {
		return "", fmt.Errorf("account: hash password: %w", err)
	}
	return digest.Encode(), nil
}

// passwordTag returns Account.PasswordTag for a stored hash: 22 letters and digits in base64.
func passwordTag(hash string) string {
	sum := sha256.Sum256([]byte("password tag\x00" + hash))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// checkPassword returns the reason to refuse a new password, or nil.
func checkPassword(password string, minLength int) error {
	switch {
	case password == "":
		return fmt.Errorf("%w: it is empty", ErrBadPassword)
	case len(password) > MaxPassword:
		return fmt.Errorf("%w: longer than %d octets", ErrBadPassword, MaxPassword)
	case strings.ContainsRune(password, utf8.RuneError): // or not UTF-8
		return fmt.Errorf("%w: it is not UTF-8, or holds U+FFFD, which programs put in place of octets that are not UTF-8", ErrBadPassword)
	case strings.ContainsRune(password, '\uFEFF'):
		return fmt.Errorf("%w: it holds a byte order mark (U+FEFF), which nobody types", ErrBadPassword)
	case strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r >= 0x7F && r < 0xA0 }):
		return fmt.Errorf("%w: it holds a control character", ErrBadPassword)
	case utf8.RuneCountInString(password) < minLength:
		return fmt.Errorf("%w: at least %d characters are needed", ErrWeakPassword, minLength)
	}
	return nil
}
