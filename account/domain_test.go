package account

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// An IP address without brackets is no domain.
func TestAddDomainOfDigits(t *testing.T) {
	d, _ := withDomain(t)
	for name, want := range map[string]error{
		"127.0.0.1": mail.ErrBadAddress, "a.123": mail.ErrBadAddress, "123": mail.ErrBadAddress, "a.123.": mail.ErrBadAddress,
		"123.test": nil, "a.1b": nil, "localhost": nil, "[192.0.2.1]": nil,
	} {
		_, err := d.AddDomain(t.Context(), name)
		wantErr(t, name, err, want)
	}
	// A domain since before the rule.
	if err := d.store.Local.PutDomain(t.Context(), store.Domain{Name: "a.123", Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	_, err := d.AddDomain(t.Context(), "A.123.")
	wantErr(t, "a hosted domain", err, ErrExists)
}
