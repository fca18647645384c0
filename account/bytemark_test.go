package account

import (
	"errors"
	"testing"
)

// A program that writes a byte order mark before a password makes one that nobody can type.
func TestPasswordWithByteOrderMark(t *testing.T) {
	if err := checkPassword("\uFEFFsecret-password", 8); !errors.Is(err, ErrBadPassword) {
		t.Error(err)
	}
}
