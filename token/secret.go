package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Prefix begins every secret.
const Prefix = "popelago_"

// Lengths of a secret after Prefix, in characters, and of an id.
const (
	randomLength   = 52 // 32 octets in base32
	checksumLength = 7  // 4 octets in base32
	idLength       = 12 // 60 bits of the hash
)

var (
	letters    = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// newSecret makes a secret from 256 random bits.
func newSecret() string {
	var random [32]byte
	rand.Read(random[:]) // never fails
	text := Prefix + letters.EncodeToString(random[:])
	return text + checksum(text)
}

// checksum returns the last characters of a secret that begins with text.
func checksum(text string) string {
	return letters.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(text), castagnoli)))
}

// hashOf returns the hash of a secret. Errors: ErrMalformed.
func hashOf(secret string) (hash [32]byte, err error) {
	const length = len(Prefix) + randomLength + checksumLength
	if len(secret) != length || !strings.HasPrefix(secret, Prefix) || checksum(secret[:length-checksumLength]) != secret[length-checksumLength:] {
		return hash, ErrMalformed
	}
	return sha256.Sum256([]byte(secret)), nil
}

// idOf returns the id of a token: the first characters of its hash in base32.
func idOf(hash [32]byte) string { return letters.EncodeToString(hash[:])[:idLength] }
