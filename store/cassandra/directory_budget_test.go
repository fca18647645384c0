package cassandra_test

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
)

// The statements of RCPT, of a login and of a search do not grow with the addresses of a domain: a search by prefix
// asks each of the 128 shards once.
func TestDirectoryBudget(t *testing.T) {
	s := open(t, config(t))
	address := func(i int) mail.Address {
		return mail.Address{Local: fmt.Sprintf("user%05d", i), Domain: "large.test"}
	}
	kind := store.KindAccount
	fill := func(from, to int) func() {
		return func() {
			var group errgroup.Group
			group.SetLimit(32)
			for i := from; i < to; i++ {
				group.Go(func() error {
					return s.ChangeAddress(t.Context(), address(i), mail.MessageID{}, store.AddressChange{Kind: &kind})
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	search := func() error {
		rows, more, err := s.SearchAddresses(t.Context(), "large.test", "user0004", "", 20)
		if err == nil && (len(rows) != 10 || more) {
			err = fmt.Errorf("%d rows, more %t", len(rows), more)
		}
		return err
	}
	read := func() error { _, err := s.AddressRows(t.Context(), address(42)); return err }
	checkBudget(t, []operation{
		{"search among 100", fill(0, 100), search, 0, 128},
		{"RCPT or login among 100", nil, read, 0, 1},
		{"search among 1,000", fill(100, 1000), search, 0, 128},
		{"RCPT or login among 1,000", nil, read, 0, 1},
	})
}
