package main

import (
	"slices"
	"testing"

	"popelago/config"
)

// The postmaster of "serve --dev" is an account that the start makes.
func TestDevPostmaster(t *testing.T) {
	address := config.Dev("x").Delivery.Postmaster
	if address.Domain != devDomain || !slices.Contains(devNames(), address.Local) {
		t.Errorf("%v", address)
	}
}
