package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

func ptr[T any](v T) *T { return &v }

// change makes or changes an address row.
func (e *env) change(a mail.Address, generation mail.MessageID, c store.AddressChange) {
	e.Helper()
	if err := e.ChangeAddress(e.ctx, a, generation, c); err != nil {
		e.Fatalf("ChangeAddress: %v", err)
	}
}

func (e *env) wantRows(a mail.Address, want ...store.Address) {
	e.Helper()
	got, err := e.AddressRows(e.ctx, a)
	if err != nil {
		e.Fatalf("AddressRows: %v", err)
	}
	if !slices.EqualFunc(got, want, sameAddress) {
		e.Fatalf("AddressRows:\n got %+v\nwant %+v", got, want)
	}
}

func sameAddress(a, b store.Address) bool {
	same := a.Created.Equal(b.Created) && a.Bulk.Equal(b.Bulk)
	a.Created, b.Created, a.Bulk, b.Bulk = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return same && reflect.DeepEqual(a, b)
}

// listAddresses reads a domain in pages and checks the promises about every page.
func (e *env) listAddresses(domain string, limit int) (all []store.Address) {
	e.Helper()
	after := ""
	for {
		rows, more, err := e.ListAddresses(e.ctx, domain, after, limit)
		if err != nil {
			e.Fatalf("ListAddresses: %v", err)
		}
		all = append(all, rows...)
		if !more {
			return all
		}
		if len(rows) == 0 {
			e.Fatal("ListAddresses: an empty page announces a further page")
		}
		after = rows[len(rows)-1].Address.Local
	}
}

var addressCases = []testCase{
	{"unknown", func(e *env) {
		e.wantRows(mail.Address{Local: "nobody", Domain: "example.test"})
		if rows := e.listAddresses("example.test", 10); len(rows) != 0 {
			e.Fatalf("a domain never written: %+v", rows)
		}
	}},
	{"columns", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		created := time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC)
		want := store.Address{Address: a, Kind: store.KindAccount, Password: "$argon2id$x", Created: created}
		e.change(a, mail.MessageID{}, store.AddressChange{Kind: &want.Kind, Password: &want.Password, Created: &created})
		e.wantRows(a, want)
		want.State = store.StateDisabled
		e.change(a, mail.MessageID{}, store.AddressChange{State: &want.State})
		e.wantRows(a, want)
		want.Password = ""
		e.change(a, mail.MessageID{}, store.AddressChange{Password: &want.Password})
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{})
		e.wantRows(a, want)
		want.Removed = e.ids.Next()
		e.change(a, mail.MessageID{}, store.AddressChange{Removed: &want.Removed})
		e.wantRows(a, want)
	}},
	{"a password alone makes a row without kind", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		e.change(a, mail.MessageID{}, store.AddressChange{Password: ptr("x")})
		e.wantRows(a, store.Address{Address: a, Password: "x"})
	}},
	{"generations", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		var want []store.Address
		generation := mail.MessageID{}
		for i := range 4 {
			row := store.Address{Address: a, Generation: generation, Kind: store.KindAccount, Password: fmt.Sprint(i), Removed: e.ids.Next()}
			want = append(want, row)
			generation = row.Removed
		}
		for i := len(want) - 1; i >= 0; i-- { // in any order
			w := want[i]
			e.change(a, w.Generation, store.AddressChange{Kind: &w.Kind, Password: &w.Password, Removed: &w.Removed})
		}
		e.wantRows(a, want...)
		e.change(a, want[2].Generation, store.AddressChange{Password: ptr("changed")})
		want[2].Password = "changed"
		e.wantRows(a, want...)
	}},
	{"addresses are apart", func(e *env) {
		for i, a := range awkward {
			e.change(a, mail.MessageID{}, store.AddressChange{Kind: ptr(store.KindAccount), Password: ptr(fmt.Sprint(i))})
		}
		for i, a := range awkward {
			e.wantRows(a, store.Address{Address: a, Kind: store.KindAccount, Password: fmt.Sprint(i)})
		}
		for _, domain := range []string{"example.test", "example.test.org", "xn--exmple-cua.test", "[192.0.2.1]"} {
			var want, got []string
			for _, a := range awkward {
				if a.Domain == domain {
					want = append(want, a.Local)
				}
			}
			for _, row := range e.listAddresses(domain, 2) {
				got = append(got, row.Address.Local)
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				e.Errorf("%s: got %q, want %q", domain, got, want)
			}
		}
	}},
	{"list", func(e *env) {
		n := 103
		var want []store.Address
		for i := range n {
			a := mail.Address{Local: fmt.Sprintf("user%d", i), Domain: "example.test"}
			generation := mail.MessageID{}
			for range 1 + i%3 {
				row := store.Address{Address: a, Generation: generation, Kind: store.KindAccount, Removed: e.ids.Next()}
				e.change(a, generation, store.AddressChange{Kind: &row.Kind, Removed: &row.Removed})
				want = append(want, row)
				generation = row.Removed
			}
		}
		var first []store.Address
		for _, limit := range []int{1, 2, 5, 50, 10_000} {
			got := e.listAddresses("example.test", limit)
			if first == nil {
				first = got
			}
			if !slices.EqualFunc(got, first, sameAddress) {
				e.Fatalf("in pages of %d the list differs", limit)
			}
		}
		closed := map[string]bool{}
		for i, row := range first {
			if i > 0 && first[i-1].Address != row.Address {
				closed[first[i-1].Address.Local] = true
			}
			if closed[row.Address.Local] {
				e.Fatalf("the rows of %s are not side by side", row.Address)
			}
		}
		order := func(a, b store.Address) int {
			if a.Address.Local != b.Address.Local {
				if a.Address.Local < b.Address.Local {
					return -1
				}
				return 1
			}
			return a.Generation.Compare(b.Generation)
		}
		slices.SortStableFunc(first, func(a, b store.Address) int {
			if a.Address.Local < b.Address.Local {
				return -1
			} else if a.Address.Local > b.Address.Local {
				return 1
			}
			return 0 // generations must be in order already
		})
		slices.SortFunc(want, order)
		if !slices.EqualFunc(first, want, sameAddress) {
			e.Fatalf("got %d rows, want %d, or different rows", len(first), len(want))
		}
	}},
	{"search", func(e *env) {
		for _, local := range []string{"ann", "anna", "anna.b", "annex", "anz", "b", "ä", "änne", "an%", "an_"} {
			e.change(mail.Address{Local: local, Domain: "example.test"}, mail.MessageID{}, store.AddressChange{Kind: ptr(store.KindAccount)})
		}
		removed := e.ids.Next()
		e.change(mail.Address{Local: "anna", Domain: "example.test"}, mail.MessageID{}, store.AddressChange{Removed: &removed})
		e.change(mail.Address{Local: "anna", Domain: "example.test"}, removed, store.AddressChange{Kind: ptr(store.KindAccount)})
		e.change(mail.Address{Local: "ann", Domain: "example.test.org"}, mail.MessageID{}, store.AddressChange{Kind: ptr(store.KindAccount)})
		for _, c := range []struct {
			prefix string
			want   []string
		}{
			{"ann", []string{"ann", "anna", "anna", "anna.b", "annex"}},
			{"anna", []string{"anna", "anna", "anna.b"}},
			{"an%", []string{"an%"}},
			{"ä", []string{"ä", "änne"}},
			{"c", nil},
			{"example", nil},
			{"", []string{"an%", "an_", "ann", "anna", "anna", "anna.b", "annex", "anz", "b", "ä", "änne"}},
		} {
			for _, limit := range []int{1, 2, 3, 100} {
				var got []string
				for after, more := "", true; more; {
					var rows []store.Address
					var err error
					if rows, more, err = e.SearchAddresses(e.ctx, "example.test", c.prefix, after, limit); err != nil {
						e.Fatalf("SearchAddresses: %v", err)
					}
					for _, row := range rows {
						got = append(got, row.Address.Local)
						after = row.Address.Local
					}
					if more && len(rows) == 0 {
						e.Fatal("SearchAddresses: an empty page announces a further page")
					}
				}
				if slices.Sort(got); !slices.Equal(got, c.want) {
					e.Errorf("prefix %q in pages of %d: %q, want %q", c.prefix, limit, got, c.want)
				}
			}
		}
		// The page behind a local-part that is before, or behind, the prefix.
		if rows, _, err := e.SearchAddresses(e.ctx, "example.test", "\U0001F600", "b", 5); err != nil || len(rows) != 0 {
			e.Errorf("behind an address without the prefix: %+v, %v", rows, err)
		}
	}},
	{"concurrent changes of different columns", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		for i := range 10 {
			want := store.Address{Address: a, Kind: store.KindAccount, Password: fmt.Sprint(i), State: store.StateDisabled, Retention: mail.Retention(time.Duration(i-5) * time.Hour), Bulk: time.UnixMicro(int64(i) + 1).UTC()}
			var wg sync.WaitGroup
			for _, c := range []store.AddressChange{{Kind: &want.Kind}, {Password: &want.Password}, {State: &want.State}, {Retention: &want.Retention}, {Bulk: &want.Bulk}} {
				wg.Go(func() {
					if err := e.ChangeAddress(e.ctx, a, mail.MessageID{}, c); err != nil {
						e.Errorf("ChangeAddress: %v", err)
					}
				})
			}
			wg.Wait()
			e.wantRows(a, want)
		}
	}},
	{"cancelled context", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		_, err := e.AddressRows(cancelled(), a)
		e.wantCancelled("AddressRows", err)
		e.wantCancelled("ChangeAddress", e.ChangeAddress(cancelled(), a, mail.MessageID{}, store.AddressChange{Kind: ptr(store.KindAccount)}))
		_, _, err = e.ListAddresses(cancelled(), a.Domain, "", 5)
		e.wantCancelled("ListAddresses", err)
		_, _, err = e.SearchAddresses(cancelled(), a.Domain, "a", "", 5)
		e.wantCancelled("SearchAddresses", err)
	}},
}

// awkward addresses look alike, are prefixes of each other or contain separators of keys.
var awkward = []mail.Address{
	{Local: "a", Domain: "example.test"},
	{Local: "ab", Domain: "example.test"},
	{Local: "a b", Domain: "example.test"},
	{Local: "a\x00", Domain: "example.test"},
	{Local: "a\x00\x01", Domain: "example.test"},
	{Local: "a\xFF", Domain: "example.test"},
	{Local: "a@example.test", Domain: "example.test"},
	{Local: "jörg#1:praxis", Domain: "example.test"},
	{Local: "日本", Domain: "example.test"},
	{Local: "%", Domain: "example.test"},
	{Local: "a", Domain: "example.test.org"},
	{Local: "org", Domain: "example.test"},
	{Local: "a", Domain: "xn--exmple-cua.test"},
	{Local: "a", Domain: "[192.0.2.1]"},
}

var domainCases = []testCase{
	{"round trip", func(e *env) {
		if ds, err := e.ListDomains(e.ctx); err != nil || len(ds) != 0 {
			e.Fatalf("ListDomains of an empty store: %v, %v", ds, err)
		}
		if _, err := e.Domain(e.ctx, "example.test"); !errors.Is(err, store.ErrNotFound) {
			e.Fatalf("Domain: %v, want %v", err, store.ErrNotFound)
		}
		created := time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC)
		want := []store.Domain{{Name: "a.test", Created: created}, {Name: "b.test", Created: created.Add(time.Hour)}, {Name: "sub.a.test", Created: created}}
		for _, i := range []int{2, 0, 1, 1} {
			if err := e.PutDomain(e.ctx, want[i]); err != nil {
				e.Fatalf("PutDomain: %v", err)
			}
		}
		e.wantDomains(want...)
		for _, d := range want {
			if got, err := e.Domain(e.ctx, d.Name); err != nil || got.Name != d.Name || !got.Created.Equal(d.Created) {
				e.Fatalf("Domain: %v, %v; want %v", got, err, d)
			}
		}
		a := mail.Address{Local: "alice", Domain: "b.test"}
		e.change(a, mail.MessageID{}, store.AddressChange{Kind: ptr(store.KindAccount)})
		e.wantRemovedDomains()
		for range 2 {
			if err := e.RemoveDomain(e.ctx, "b.test"); err != nil {
				e.Fatalf("RemoveDomain: %v", err)
			}
		}
		e.wantDomains(want[0], want[2])
		e.wantRemovedDomains("b.test") // an address of the domain remains
		e.wantRows(a, store.Address{Address: a, Kind: store.KindAccount})
		if err := e.PutDomain(e.ctx, want[1]); err != nil {
			e.Fatalf("PutDomain again: %v", err)
		}
		e.wantDomains(want...)
		e.wantRemovedDomains()
	}},
	{"settings", func(e *env) {
		d := store.Domain{Name: "a.test", Created: time.Unix(1, 0).UTC(), Durability: mail.DurabilityEach, Retention: mail.Retention(90 * 24 * time.Hour)}
		other := store.Domain{Name: "b.test", Created: time.Unix(2, 0).UTC()}
		change := func(name string, c store.DomainChange) {
			e.Helper()
			if err := e.ChangeDomain(e.ctx, name, c); err != nil {
				e.Fatalf("ChangeDomain: %v", err)
			}
		}
		want := func(d store.Domain) {
			e.Helper()
			got, err := e.Domain(e.ctx, d.Name)
			if err != nil || !sameDomain(got, d) {
				e.Fatalf("Domain: %+v, %v, want %+v", got, err, d)
			}
		}
		for _, d := range []store.Domain{d, other} {
			if err := e.PutDomain(e.ctx, d); err != nil {
				e.Fatalf("PutDomain: %v", err)
			}
		}
		want(d)
		change(d.Name, store.DomainChange{})
		change(d.Name, store.DomainChange{Durability: ptr(mail.DurabilityEachOrLocal)})
		d.Durability = mail.DurabilityEachOrLocal
		want(d)
		change(d.Name, store.DomainChange{Retention: ptr(mail.Retention(time.Hour + time.Microsecond))})
		d.Retention = mail.Retention(time.Hour + time.Microsecond)
		want(d)
		want(other)
		e.wantDomains(d, other)
		change("none.test", store.DomainChange{Durability: ptr(mail.DurabilityEach)})
		e.wantDomains(d, other)
		// A removed domain comes back without its settings.
		if err := e.RemoveDomain(e.ctx, d.Name); err != nil {
			e.Fatalf("RemoveDomain: %v", err)
		}
		d.Durability, d.Retention = "", 0
		if err := e.PutDomain(e.ctx, d); err != nil {
			e.Fatalf("PutDomain: %v", err)
		}
		want(d)
	}},
	{"cancelled context", func(e *env) {
		_, err := e.Domain(cancelled(), "a.test")
		e.wantCancelled("Domain", err)
		_, err = e.ListDomains(cancelled())
		e.wantCancelled("ListDomains", err)
		e.wantCancelled("PutDomain", e.PutDomain(cancelled(), store.Domain{Name: "a.test"}))
		e.wantCancelled("ChangeDomain", e.ChangeDomain(cancelled(), "a.test", store.DomainChange{}))
		e.wantCancelled("RemoveDomain", e.RemoveDomain(cancelled(), "a.test"))
	}},
}

func (e *env) wantDomains(want ...store.Domain) {
	e.Helper()
	got, err := e.ListDomains(e.ctx)
	if err != nil {
		e.Fatalf("ListDomains: %v", err)
	}
	if !slices.EqualFunc(got, want, sameDomain) {
		e.Fatalf("ListDomains: got %v, want %v", got, want)
	}
}

func sameDomain(a, b store.Domain) bool {
	same := a.Created.Equal(b.Created)
	a.Created, b.Created = time.Time{}, time.Time{}
	return same && reflect.DeepEqual(a, b)
}
