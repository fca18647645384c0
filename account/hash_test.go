package account

import (
	"errors"
	"strings"
	"testing"
)

// TestCheckHash: the cost of a hash that an administrator brings is bounded in each spelling that the library reads.
func TestCheckHash(t *testing.T) {
	d, _ := withDomain(t)
	const key = "$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5"
	const bcrypt = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
	for _, good := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1" + key, "$argon2id$v=19$t=2,p=1,m=19456" + key, "$2b$12$" + bcrypt, "$2y$04$" + bcrypt,
		"$5$saltsalt$abcdef", "$6$saltsalt$abcdef", "$6$rounds=5000$saltsalt$abcdef",
	} {
		if err := d.passwords.checkHash(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, dear := range []string{
		"$argon2id$v=19$m=9999999,t=2,p=1" + key, "$argon2id$v=19$t=2,m=4294967295,p=1" + key, "$argon2id$v=19$m=8,t=1,p=1,m=4294967295" + key,
		"$argon2id$v=19$m=8,t=1,p=1,t=4294967295" + key, "$argon2id$v=19$p=4294967295" + key, "$argon2id$m=8,t=1,p=1,m=99999999$v=19" + key,
		"$2b$15$" + bcrypt, "$2b$+31$" + bcrypt, "$2b$031$" + bcrypt,
		"$6$rounds=1000001$saltsalt$abcdef", "$6$rounds=1000,rounds=4294967295$saltsalt$abcdef", "$5$rounds=04294967295$saltsalt$abcdef",
	} {
		err := d.passwords.checkHash(dear)
		if !errors.Is(err, ErrBadPassword) {
			t.Errorf("%s: %v, want %v", dear, err, ErrBadPassword)
		}
		if err != nil && strings.Contains(err.Error(), dear) {
			t.Errorf("the error tells the hash: %v", err)
		}
	}
}
