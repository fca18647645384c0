package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// While two of twelve nodes are down, walks over a domain pass over the shards without a quorum, and read all other accounts
// once.
func TestWalkBehindShardsWithoutQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := openEngine(t, 12)
		ids, domain := mail.NewIDSource(time.Now), "example.test"
		var all []string
		for i := range 400 {
			a := mail.Address{Local: fmt.Sprint("user", i), Domain: domain}
			change := store.AddressChange{Kind: new(store.KindAccount), Created: new(time.Now())}
			for range 1 + i%3 { // generations
				if err := s.ChangeAddress(t.Context(), a, ids.Next(), change); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, a.Local)
		}
		walk := func(page int) (seen []string, unread int) {
			note := func(err error) error {
				var part *store.UnreadPart
				switch {
				case err == nil:
				case !errors.As(err, &part) || !strings.HasSuffix(part.Name, " of 128"):
					t.Errorf("a part without a name: %v", err)
				default:
					unread++
				}
				return nil
			}
			err := account.EachReadable(t.Context(), s.ListAddresses, domain, "", page, note, func(rows []store.Address) (bool, error) {
				var number int
				if _, err := fmt.Sscanf(rows[0].Address.Local, "user%d", &number); err != nil || len(rows) != 1+number%3 {
					t.Errorf("%d generations of %s, %v", len(rows), rows[0].Address, err)
				}
				seen = append(seen, rows[0].Address.Local)
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(seen)
			return seen, unread
		}
		c.Crash("dc1-5", true)
		c.Crash("dc1-6", true)
		time.Sleep(time.Minute)
		var readable []string
		for _, local := range all {
			if _, err := s.AddressRows(t.Context(), mail.Address{Local: local, Domain: domain}); err == nil {
				readable = append(readable, local)
			} else if !store.Unreached(err) {
				t.Fatal(err)
			}
		}
		if lost := len(all) - len(readable); lost == 0 || lost > len(all)/2 {
			t.Fatalf("%d of %d accounts cannot be read", lost, len(all))
		}
		slices.Sort(readable)
		for _, page := range []int{1, 7, 500} {
			seen, unread := walk(page)
			if !slices.Equal(seen, readable) || unread == 0 {
				t.Errorf("pages of %d: %d accounts and %d unread parts, want %d accounts", page, len(seen), unread, len(readable))
			}
			if err := account.EachAddress(t.Context(), s.ListAddresses, domain, "", page, func([]store.Address) (bool, error) { return true, nil }); !store.Unreached(err) {
				t.Errorf("a walk that has to read everything: %v", err)
			}
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, _, err := s.ListAddresses(ended, domain, "", 500); err == nil {
			t.Error("no error after the end of the context")
		}
		c.Restart("dc1-5")
		c.Restart("dc1-6")
		time.Sleep(time.Minute)
		slices.Sort(all)
		if seen, unread := walk(7); !slices.Equal(seen, all) || unread > 0 {
			t.Errorf("after the return of the nodes: %d accounts, %d unread parts", len(seen), unread)
		}
	})
}
