package account

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"popelago/cache"
	"popelago/store"
)

// credentialKey names one verified combination of account and password.
type credentialKey [sha256.Size]byte

// credentialCache holds verified passwords, and no wrong passwords. Entries carry their own end,
// see cache.
type credentialCache struct {
	ttl    time.Duration
	secret [32]byte // random for each process
	cache  cache.Cache[credentialKey, time.Time]
}

func newCredentialCache(size int, ttl time.Duration) *credentialCache {
	c := &credentialCache{ttl: ttl, cache: cache.New[credentialKey, time.Time](size)}
	rand.Read(c.secret[:])
	return c
}

// key is the HMAC-SHA256 of
//
//	uint32 length, canonical address
//	16 octets generation
//	uint32 length, stored hash
//	uint32 length, password
//
// so that no two combinations give the same input.
func (c *credentialCache) key(row store.Address, password string) credentialKey {
	address := row.Address.String()
	b := make([]byte, 0, 4+len(address)+16+4+len(row.Password)+4+len(password))
	b = binary.BigEndian.AppendUint32(b, uint32(len(address)))
	b = append(b, address...)
	b = append(b, row.Generation[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(row.Password)))
	b = append(b, row.Password...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(password)))
	b = append(b, password...)
	h := hmac.New(sha256.New, c.secret[:])
	h.Write(b)
	clear(b)
	var k credentialKey
	h.Sum(k[:0])
	return k
}

// has reports whether a combination was verified lately, and if so prolongs the entry. The key
// contains the stored hash, so that a use never prolongs a password that was changed.
func (c *credentialCache) has(k credentialKey, now time.Time) bool {
	until, ok := c.cache.Get(k)
	if !ok || !now.Before(until) || until.Sub(now) > c.ttl {
		return false
	}
	c.put(k, now)
	return true
}

func (c *credentialCache) put(k credentialKey, now time.Time) {
	if c.ttl > 0 {
		c.cache.Set(k, now.Add(c.ttl))
	}
}
