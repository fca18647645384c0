package main

import (
	"strings"
	"testing"
)

// Some shells put a byte order mark in front of piped text.
func TestPasswordBehindByteOrderMark(t *testing.T) {
	if password, err := readPassword(strings.NewReader("\uFEFFsecret\r\n")); err != nil || password != "secret" {
		t.Errorf("%q, %v", password, err)
	}
}
