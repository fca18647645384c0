package smtpserver

import (
	"testing"

	"popelago/delivery"
)

// TestPromisedIsBounded: a session holds the results of few recipients for a client that never reads, and always the newest
// result.
func TestPromisedIsBounded(t *testing.T) {
	for _, test := range []struct {
		name             string
		recipients       []int // of each message
		messages, oldest int   // held at the end; the size of the oldest message held
	}{
		{"few recipients", []int{1, 2, 3}, 3, 1},
		{"a large message alone", []int{1000}, 1, 1000},
		{"large messages", []int{1000, 1001, 1002}, 1, 1002},
		{"a large message before small ones", []int{1000, 1, 2}, 2, 1},
		{"just the limit", []int{7, maxPromisedRecipients - 1, 1}, 2, maxPromisedRecipients - 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s session
			for _, n := range test.recipients {
				s.promise(delivery.Result{Recipients: n, Size: int64(n)})
			}
			if len(s.promised) != test.messages || s.promised[0].Size != int64(test.oldest) {
				t.Errorf("%d results, the oldest with %d recipients; want %d and %d",
					len(s.promised), s.promised[0].Size, test.messages, test.oldest)
			}
		})
	}
	var s session
	for n := range maxPromised + 2 {
		s.promise(delivery.Result{Recipients: 1, Size: int64(n)})
	}
	if len(s.promised) != maxPromised || s.promised[0].Size != 2 {
		t.Errorf("%d results from number %d on, want the newest %d", len(s.promised), s.promised[0].Size, maxPromised)
	}
}
