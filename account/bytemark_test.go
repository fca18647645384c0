package account

import (
	"errors"
	"testing"
)

// A byte order mark before a password would make a password that no user can type.
func TestPasswordWithByteOrderMark(t *testing.T) {
	if err := checkPassword("\uFEFFsecret-password", 8); !errors.Is(err, ErrBadPassword) {
		t.Error(err)
	}
}
