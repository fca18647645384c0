package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// searched returns the local-parts of a search, page by page.
func searched(t *testing.T, page int, search func(after string, limit int) ([]Found, string, error)) (names []string) {
	t.Helper()
	for after := ""; ; {
		found, next, err := search(after, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > page {
			t.Fatalf("%d accounts in a page of %d", len(found), page)
		}
		for _, f := range found {
			names = append(names, f.Address.Local)
		}
		if after = next; after == "" {
			return names
		}
	}
}

func TestSearchAccounts(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	for _, name := range []string{"ann", "anna", "annex", "bob", "hanna", "zoe"} {
		addAccount(t, d, name+"@example.test", "secret")
		c.advance(time.Second)
	}
	if _, err := d.AddAlias(ctx, addr(t, "anne@example.test"), store.KindAlias, []mail.Address{addr(t, "bob@example.test")}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "remove", d.RemoveAccount(ctx, addr(t, "zoe@example.test")), nil)
	wantErr(t, "disable", d.SetState(ctx, addr(t, "bob@example.test"), store.StateDisabled), nil)
	set := func(name string, texts map[string]string) {
		t.Helper()
		wantErr(t, "set "+name, d.SetAccountSettings(ctx, addr(t, name+"@example.test"), texts), nil)
	}
	set("ann", map[string]string{"pop3": "off", "quota": "2GiB"})
	set("anna", map[string]string{"expires": "2020-01-01"})
	set("annex", map[string]string{"retention": "90d"})
	if _, err := d.ChangeDomain(ctx, "example.test", store.DomainChange{Settings: map[string]string{"message_size": "1MiB"}}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		search Search
		want   string
	}{
		{"all", Search{}, "ann anna annex bob hanna"},
		{"prefix", Search{Prefix: "Ann"}, "ann anna annex"},
		{"part", Search{Contains: "NNA"}, "anna hanna"},
		{"part of the domain", Search{Contains: "b@example"}, "bob"},
		{"prefix and part", Search{Prefix: "ann", Contains: "x@"}, "annex"},
		{"disabled", Search{State: store.StateDisabled}, "bob"},
		{"enabled", Search{State: store.StateEnabled}, "ann anna annex hanna"},
		{"may log in", Search{May: []string{UsePOP3}}, "annex hanna"},
		{"may not log in", Search{MayNot: []string{UsePOP3}}, "ann anna bob"},
		{"gets mail only", Search{May: []string{UseDeliver}, MayNot: []string{UsePOP3}}, "ann"},
		{"own setting", Search{Has: []string{"quota"}}, "ann"},
		{"own retention", Search{Has: []string{"retention"}}, "annex"},
		{"value in force", Search{InForce: map[string]string{"quota": "2048MiB"}}, "ann"},
		{"value of nobody's own", Search{InForce: map[string]string{"message_size": "1MiB"}}, "ann anna annex bob hanna"},
		{"nobody", Search{Prefix: "nobody"}, ""},
	} {
		for _, page := range []int{1, 2, 100} {
			got := searched(t, page, func(after string, limit int) ([]Found, string, error) {
				return d.SearchAccounts(ctx, "example.test", test.search, after, limit)
			})
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s, in pages of %d: %q, want %q", test.name, page, got, test.want)
			}
		}
	}
	for _, s := range []Search{{May: []string{"imap"}}, {Prefix: "\xFF"}} {
		_, _, err := d.SearchAccounts(ctx, "example.test", s, "", 1)
		wantErr(t, fmt.Sprint(s), err, ErrBadSearch)
	}
	for _, s := range []Search{{Has: []string{"catch_all"}}, {Has: []string{"qouta"}}, {InForce: map[string]string{"quota": "much"}}} {
		_, _, err := d.SearchAccounts(ctx, "example.test", s, "", 1)
		wantErr(t, fmt.Sprint(s), err, ErrBadSetting)
	}
	_, _, err := d.SearchAccounts(ctx, "other.test", Search{}, "", 1)
	wantErr(t, "another domain", err, ErrNoSuchDomain)
}

func TestSortAccounts(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	for _, name := range []string{"mia", "bob", "zoe", "ann"} {
		addAccount(t, d, name+"@example.test", "secret")
		c.advance(time.Second)
	}
	wantErr(t, "disable", d.SetState(ctx, addr(t, "zoe@example.test"), store.StateDisabled), nil)
	for _, test := range []struct {
		order Order
		want  string
	}{
		{Order{SortAddress, false}, "ann bob mia zoe"},
		{Order{SortAddress, true}, "zoe mia bob ann"},
		{Order{SortCreated, false}, "mia bob zoe ann"},
		{Order{SortCreated, true}, "ann zoe bob mia"},
		{Order{SortState, false}, "zoe ann bob mia"},
		{Order{SortState, true}, "mia bob ann zoe"},
	} {
		for _, page := range []int{1, 3, 100} {
			got := searched(t, page, func(after string, limit int) ([]Found, string, error) {
				return d.SortAccounts(ctx, "example.test", Search{}, test.order, after, limit)
			})
			if strings.Join(got, " ") != test.want {
				t.Errorf("%+v, in pages of %d: %q, want %q", test.order, page, got, test.want)
			}
		}
	}
	// The first page ends; its last account is removed: the second page goes on behind.
	_, next, err := d.SortAccounts(ctx, "example.test", Search{}, Order{SortCreated, false}, "", 2)
	wantErr(t, "first page", err, nil)
	wantErr(t, "remove", d.RemoveAccount(ctx, addr(t, "bob@example.test")), nil)
	if found, _, err := d.SortAccounts(ctx, "example.test", Search{}, Order{SortCreated, false}, next, 2); err != nil || len(found) != 2 || found[0].Address.Local != "zoe" {
		t.Errorf("second page: %+v, %v", found, err)
	}
	for _, order := range []Order{{"size", false}, {}} {
		_, _, err := d.SortAccounts(ctx, "example.test", Search{}, order, "", 2)
		wantErr(t, "order "+order.Field, err, ErrBadSearch)
	}
	_, _, err = d.SortAccounts(ctx, "example.test", Search{}, Order{SortState, false}, "bob", 2)
	wantErr(t, "the after of another list", err, ErrBadSearch)
}

// manyAddresses is a directory with any number of addresses in example.test, which counts the rows read.
type manyAddresses struct {
	store.Directory
	n           int
	calls, rows int
	// kind returns the kind of an address by its number; nil: all are accounts.
	kind func(int) store.AddressKind
}

func (m *manyAddresses) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	return m.SearchAddresses(ctx, domain, "", after, limit)
}

func (m *manyAddresses) SearchAddresses(_ context.Context, domain, prefix, after string, limit int) (rows []store.Address, more bool, err error) {
	m.calls++
	first := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "user%07d", &first); err != nil {
			return nil, false, err
		}
		first++
	}
	for i := first; i < m.n && len(rows) < limit; i++ {
		if local := fmt.Sprintf("user%07d", i); strings.HasPrefix(local, prefix) {
			kind := store.KindAccount
			if m.kind != nil {
				kind = m.kind(i)
			}
			rows = append(rows, store.Address{Address: mail.Address{Local: local, Domain: domain}, Kind: kind})
		}
	}
	m.rows += len(rows)
	return rows, len(rows) == limit, nil
}

// A search that finds little ends after SearchLimit addresses, and goes on from there.
func TestSearchIsBounded(t *testing.T) {
	c := newClock()
	st := &manyAddresses{Directory: openStore(t), n: 25_000}
	d := newDirectory(t, cheap(c), st)
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	pages := 0
	got := searched(t, 10, func(after string, limit int) ([]Found, string, error) {
		pages++
		return d.SearchAccounts(t.Context(), "example.test", Search{Contains: "24999"}, after, limit)
	})
	if !slices.Equal(got, []string{"user0024999"}) || pages != 3 || st.rows < 25_000 || st.rows > 27_000 {
		t.Errorf("found %q in %d pages, %d rows read", got, pages, st.rows)
	}
	// A list without conditions reads one row more than the page.
	st.calls, st.rows = 0, 0
	if found, next, err := d.SearchAccounts(t.Context(), "example.test", Search{}, "", 100); err != nil || len(found) != 100 || next != "user0000099" || st.calls != 1 || st.rows != 101 {
		t.Errorf("a page: %d accounts, next %q, %v; %d calls, %d rows", len(found), next, err, st.calls, st.rows)
	}
	_, _, err := d.SortAccounts(t.Context(), "example.test", Search{}, Order{SortCreated, true}, "", 10)
	wantErr(t, "sort too many", err, ErrTooManyToSort)
	if found, _, err := d.SortAccounts(t.Context(), "example.test", Search{Prefix: "user00001"}, Order{SortAddress, true}, "", 10); err != nil || len(found) != 10 || found[0].Address.Local != "user0000199" {
		t.Errorf("sort some: %+v, %v", found, err)
	}
	if errors.Is(err, ErrBadSearch) {
		t.Error("too many accounts are taken for a mistake of the query")
	}
}

// A list of aliases, of groups or of limits ends after SearchLimit addresses, and goes on from there.
func TestListsAreBounded(t *testing.T) {
	const n = 25_000
	listAliases := func(kind store.AddressKind) func(d *Directory, after string, limit int) (locals []string, next string, err error) {
		return func(d *Directory, after string, limit int) (locals []string, next string, err error) {
			list, next, err := d.Aliases(t.Context(), "example.test", kind, after, limit)
			for _, a := range list {
				locals = append(locals, a.Address.Local)
			}
			return locals, next, err
		}
	}
	for kind, list := range map[store.AddressKind]func(d *Directory, after string, limit int) (locals []string, next string, err error){
		store.KindAlias: listAliases(store.KindAlias), store.KindGroup: listAliases(store.KindGroup),
		store.KindAccount: func(d *Directory, after string, limit int) (locals []string, next string, err error) {
			list, next, err := d.ListLimited(t.Context(), "example.test", after, limit)
			for _, a := range list {
				locals = append(locals, a.Address.Local)
			}
			return locals, next, err
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			others := store.KindAccount
			if kind == others {
				others = store.KindAlias
			}
			st := &manyAddresses{Directory: openStore(t), n: n, kind: func(i int) store.AddressKind {
				if i < 2 || i > n-3 { // two in the beginning, and two in the end
					return kind
				}
				return others
			}}
			d := newDirectory(t, cheap(newClock()), st)
			if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int{1, 2, 3, 100} {
				var got []string
				for after, pages := "", 0; ; pages++ {
					st.rows = 0
					locals, next, err := list(d, after, limit)
					if err != nil || len(locals) > limit || st.rows > SearchLimit+2*pageSize || pages > 10 {
						t.Fatalf("pages of %d: %q, %v, %d rows, %d pages", limit, locals, err, st.rows, pages)
					}
					got = append(got, locals...)
					if after = next; after == "" {
						break
					}
				}
				if want := []string{"user0000000", "user0000001", "user0024998", "user0024999"}; !slices.Equal(got, want) {
					t.Errorf("pages of %d: %q, want %q", limit, got, want)
				}
			}
		})
	}
}
