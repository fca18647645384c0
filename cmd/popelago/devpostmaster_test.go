package main

import (
	"slices"
	"testing"

	"popelago/config"
	"popelago/mail"
)

// The postmaster of "serve --dev" is an account that the start makes.
func TestDevPostmaster(t *testing.T) {
	address, err := mail.ParseAddress(config.Dev("x").Delivery.Postmaster)
	if err != nil || address.Domain != devDomain || !slices.Contains(devNames(), address.Local) {
		t.Errorf("%v, %v", address, err)
	}
}
