package account

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/mail"
)

// TestCheckHash: the cost of a hash that an administrator brings is bounded in each spelling that the library reads.
func TestCheckHash(t *testing.T) {
	d, _ := withDomain(t)
	const key = "$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2"
	key256, key512 := strings.Repeat("a", 43), strings.Repeat("a", 86)
	const bcrypt = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
	for _, good := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1" + key, "$argon2id$v=19$t=2,p=1,m=19456" + key, "$2b$12$" + bcrypt, "$2y$04$" + bcrypt,
		"$5$saltsalt$" + key256, "$6$saltsalt$" + key512, "$6$rounds=5000$saltsalt$" + key512,
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

// TestCheckCutHash: a hash that a file or a field of a database has cut fits no password, and is refused.
func TestCheckCutHash(t *testing.T) {
	d, _ := withDomain(t)
	argon2id, err := d.passwords.hash(t.Context(), "secret", seat{class: classKnown})
	if err != nil {
		t.Fatal(err)
	}
	for name, whole := range map[string]string{
		"argon2id": argon2id,
		"bcrypt":   "$2b$04$abcdefghijklmnopqrstuuB/aOf7X2UpVCVPLtWqSxTn0eLg3Bv1W",
		"SHA-256":  "$5$rounds=1000$saltsalt$" + strings.Repeat("a", 43),
		"SHA-512":  "$6$rounds=1000$saltsalt$" + strings.Repeat("a", 86),
	} {
		if err := d.passwords.checkHash(whole); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for n := 1; n < len(whole); n++ {
			err := d.passwords.checkHash(whole[:n])
			if name == "argon2id" && slices.Contains([]int{5, 11, 16, 21}, len(whole)-n) {
				continue // a key of 28, 24, 20 or 16 octets is possible
			}
			if !errors.Is(err, ErrBadPassword) {
				t.Errorf("%s without the last %d octets: %v, want %v", name, len(whole)-n, err, ErrBadPassword)
			}
		}
	}
}

// TestImportedScheme: a hash may have the name of its scheme in front, as Dovecot and LDAP servers write it.
func TestImportedScheme(t *testing.T) {
	d, _ := withDomain(t)
	const hash = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1" // of "secret"
	bring := func(name, hash string) Imported {
		return d.Import(t.Context(), []Wanted{{Address: mail.Address{Local: name, Domain: "example.test"}, Hash: hash}}, false)[0]
	}
	for name, scheme := range map[string]string{"none": "", "dovecot": "{SHA512-CRYPT}", "ldap": "{crypt}"} {
		if r := bring(name, scheme+hash); r.Err != nil || r.Outcome != OutcomeMade {
			t.Fatalf("%q: %+v", scheme, r)
		}
		_, err := d.Authenticate(t.Context(), name+"@example.test", "secret")
		wantErr(t, scheme, err, nil)
		if r := bring(name, hash); r.Outcome != OutcomeUnchanged {
			t.Errorf("%q: the same hash again: %+v", scheme, r)
		}
	}
	for _, other := range []string{"{PLAIN}secret", "{SSHA}c2FsdHNhbHQ=", "{SHA512-CRYPT.b64}JDYk", "{SHA512-CRYPT}", "{MD5-CRYPT}$1$saltsalt$abc", "{{CRYPT}" + hash} {
		if r := bring("other", other); !errors.Is(r.Err, ErrBadPassword) {
			t.Errorf("%s: %+v, want %v", other, r, ErrBadPassword)
		}
	}
}
