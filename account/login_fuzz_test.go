package account

import "testing"

// Any login text of a client is one canonical address or none, and a login with the text ends in a
// refusal, not in a fault.
func FuzzLogin(f *testing.F) {
	for _, login := range []string{
		"", "@", "alice", "alice@example.test", "Alice@EXAMPLE.test.", "a@b@c", "kim#7", "a:b@example.test",
		"x y@example.test", "a@[192.0.2.1]", "ünï@bücher.example", "\u212a@example.test", "a\x00b@example.test",
		"a@xn--", "a@" + "\u0130.example", "\xff@example.test", "a\u0300@example.test", "a@-.example",
	} {
		f.Add(login)
	}
	d := &Directory{cfg: Config{DefaultDomain: "example.test"}}
	f.Fuzz(func(t *testing.T, login string) {
		a, ok := d.LoginAddress(login)
		if !ok {
			return
		}
		if err := a.Validate(); err != nil {
			t.Errorf("login %q means %q, which is none: %v", login, a, err)
		}
		if a != a.Canonical() {
			t.Errorf("login %q means %q, which is not canonical: %q is", login, a, a.Canonical())
		}
		if again, ok := d.LoginAddress(a.String()); !ok || again != a {
			t.Errorf("login %q means %q, which means %q, %v", login, a, again, ok)
		}
	})
}
