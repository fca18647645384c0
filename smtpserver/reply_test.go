package smtpserver

import (
	"errors"
	"fmt"
	"testing"

	"popelago/account"
	"popelago/delivery"
	"popelago/store"
)

func TestReplyTo(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{account.ErrNoSuchRecipient, "550 5.1.1"},
		{account.ErrDisabled, "550 5.2.1"},
		{delivery.ErrNotHosted, "550 5.7.1"},
		{delivery.ErrTooLarge, "552 5.3.4"},
		{delivery.ErrBareLineEnd, "550 5.6.0"},
		{delivery.ErrLoop, "554 5.4.6"},
		{store.ErrTooOld, "451 4.3.0"},
		{store.ErrFull, "452 4.3.1"},
		{store.ErrUnavailable, "451 4.3.0"},
		{store.ErrOutcomeUnknown, "451 4.3.0"},
		{store.ErrCorrupt, "451 4.3.0"},
		{store.ErrNotFound, "451 4.3.0"},
		{errors.New("anything"), "451 4.3.0"},
	}
	for _, test := range tests {
		r := replyTo(fmt.Errorf("wrapped: %w", test.err))
		if got := fmt.Sprintf("%d %s", r.code, r.enhanced); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}

func TestReplyToAll(t *testing.T) {
	tests := []struct {
		name string
		errs []error
		want int
	}{
		{"stored", []error{nil, nil}, 250},
		{"one temporary", []error{nil, store.ErrUnavailable, nil}, 451},
		{"all full", []error{store.ErrFull, store.ErrFull}, 452},
		{"some full", []error{nil, store.ErrFull}, 452},
		{"full and unavailable", []error{store.ErrFull, store.ErrUnavailable}, 451},
		{"unavailable and full", []error{store.ErrUnavailable, store.ErrFull}, 451},
		{"all permanent", []error{delivery.ErrTooLarge, delivery.ErrTooLarge}, 552},
		{"permanent and temporary", []error{delivery.ErrTooLarge, store.ErrFull}, 452},
		{"temporary and permanent", []error{store.ErrFull, delivery.ErrTooLarge}, 452},
	}
	for _, test := range tests {
		if got := replyToAll(test.errs, replyOK("ok")); got.code != test.want {
			t.Errorf("%s: %d, want %d", test.name, got.code, test.want)
		}
	}
}
