package token

import (
	"errors"
	"slices"
	"testing"
)

func rightsOf(t *testing.T, role string, scopes ...string) Rights {
	t.Helper()
	r, err := ParseRights(role, scopes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRights(t *testing.T) {
	r := rightsOf(t, "operator", "domain:B.test", "domain:a.test.", "domain:b.test", "domain:Bücher.example")
	if want := []string{"domain:a.test", "domain:b.test", "domain:xn--bcher-kva.example"}; !slices.Equal(r.Scopes(), want) || r.All {
		t.Errorf("%+v, want %v", r, want)
	}
	if r := rightsOf(t, "admin", "domain:a.test", "all"); !slices.Equal(r.Scopes(), []string{"all"}) || !r.Reaches("b.test") {
		t.Errorf("%+v", r)
	}
	for _, scopes := range [][]string{nil, {""}, {"ALL"}, {"domain:"}, {"domain:not a domain"}, {"a.test"}, {"domain:*"}, slices.Repeat([]string{"all"}, 101)} {
		if r, err := ParseRights("admin", scopes); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%v: %+v, %v", scopes, r, err)
		}
	}
	for _, role := range []string{"", "root", "Admin"} {
		if r, err := ParseRights(role, []string{"all"}); !errors.Is(err, ErrBadRequest) {
			t.Errorf("role %q: %+v, %v", role, r, err)
		}
	}
}

func TestReaches(t *testing.T) {
	r := rightsOf(t, "operator", "domain:a.test", "domain:c.test")
	for domain, want := range map[string]bool{"a.test": true, "c.test": true, "b.test": false, "": false, "x.a.test": false, "a.test.": false} {
		if r.Reaches(domain) != want {
			t.Errorf("%q: %v", domain, !want)
		}
	}
}

func TestCovers(t *testing.T) {
	all := []Rights{
		rightsOf(t, "admin", "all"), rightsOf(t, "operator", "all"), rightsOf(t, "read-only", "all"),
		rightsOf(t, "admin", "domain:a.test", "domain:b.test"), rightsOf(t, "admin", "domain:a.test"), rightsOf(t, "read-only", "domain:a.test"),
		rightsOf(t, "operator", "domain:c.test"),
	}
	want := []string{"1111111", "0110011", "0010010", "0001110", "0000110", "0000010", "0000001"}
	for i, a := range all {
		got := ""
		for _, b := range all {
			got += map[bool]string{true: "1", false: "0"}[a.Covers(b)]
		}
		if got != want[i] {
			t.Errorf("%+v covers %s, want %s", a, got, want[i])
		}
	}
	var none Rights
	if none.Covers(none) || none.Role.Includes(ReadOnly) || Admin.Includes("root") || Role("root").Includes(ReadOnly) {
		t.Error("a caller without role has rights")
	}
}
