package account

import (
	"testing"

	"popelago/mail"
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
}
