package cassandra_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// Two servers that change the same address and domain at once, in different elements of their sets, lose
// none of the changes.
func TestTwoServersChangeSets(t *testing.T) {
	w := openWindowed(t, nil)
	other := w.cfg
	other.Server = "other"
	a := accounts(t, w.store, "sets")[0]
	member := func(server, i int) mail.Address {
		return mail.Address{Local: fmt.Sprintf("member%d-%02d", server, i), Domain: a.Domain}
	}
	var old, want []mail.Address
	settings := map[string]string{}
	for i := range 10 {
		old = append(old, member(2, i), member(3, i))
	}
	if err := w.store.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{AddTargets: old}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for server, s := range []*cassandra.Store{w.store, reopen(t, other)} {
		for i := range 10 {
			name := fmt.Sprintf("setting%d-%d", server, i)
			settings[name] = "x"
			want = append(want, member(server, i))
			wg.Go(func() {
				c := store.AddressChange{
					AddTargets: []mail.Address{member(server, i)}, RemoveTargets: []mail.Address{member(server+2, i)}, Settings: map[string]string{name: "x"},
				}
				if err := s.ChangeAddress(t.Context(), a, mail.MessageID{}, c); err != nil {
					t.Error(err)
				}
				if err := s.ChangeDomain(t.Context(), a.Domain, store.DomainChange{Settings: c.Settings}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	rows, err := w.store.AddressRows(t.Context(), a)
	if err != nil || len(rows) != 1 || !slices.Equal(rows[0].Targets, want) || !maps.Equal(rows[0].Settings, settings) {
		t.Errorf("the address: %+v, %v", rows, err)
	}
	if d, err := w.store.Domain(t.Context(), a.Domain); err != nil || !maps.Equal(d.Settings, settings) {
		t.Errorf("the domain: %+v, %v", d, err)
	}
}
