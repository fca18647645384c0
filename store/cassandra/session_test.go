package cassandra

import (
	"errors"
	"slices"
	"testing"
)

// The driver gets names as names, which it can look up again, and addresses that no name leads to.
func TestContacts(t *testing.T) {
	for _, x := range []struct{ hosts, want []string }{
		{[]string{"10.0.0.1", "10.0.0.2:9142", "10.0.0.1"}, []string{"10.0.0.1", "10.0.0.2:9142"}},
		{[]string{"::1", "[::1]", "[2001:db8::1]:9042"}, []string{"::1", "[2001:db8::1]:9042"}},
		{[]string{"127.0.0.1:9042", "localhost:9042", "127.0.0.1:9142"}, []string{"localhost:9042", "127.0.0.1:9142"}},
		{[]string{"localhost", "localhost", "nothing.invalid", "10.0.0.1"}, []string{"localhost", "10.0.0.1", "nothing.invalid"}},
		{[]string{"10.2.0.1", "10.2.0.2", "localhost", "127.0.0.1"}, []string{"10.2.0.1", "10.2.0.2", "localhost"}}, // elsewhere first
	} {
		got, err := contactsOf(t.Context(), x.hosts)
		if err != nil || !slices.Equal(got, x.want) {
			t.Errorf("of %q: %q, %v, want %q", x.hosts, got, err, x.want)
		}
	}
	if got, err := contactsOf(t.Context(), []string{"nothing.invalid"}); len(got) > 0 || !errors.Is(err, ErrNoContact) {
		t.Errorf("of a name that nobody knows: %q, %v", got, err)
	}
}
