package bench

import "fmt"

// compare returns nil if got equals want, otherwise an error with the first difference.
func compare(got, want []byte) error {
	n := min(len(got), len(want))
	i := 0
	for i < n && got[i] == want[i] {
		i++
	}
	switch {
	case i < n:
		return fmt.Errorf("octet %d is %q instead of %q", i, excerpt(got[i:]), excerpt(want[i:]))
	case len(got) < len(want):
		return fmt.Errorf("ends %d octets early", len(want)-len(got))
	case len(got) > len(want):
		return fmt.Errorf("followed by %d more octets: %q", len(got)-len(want), excerpt(got[i:]))
	}
	return nil
}

// excerpt returns the beginning of b.
func excerpt(b []byte) []byte { return b[:min(len(b), 16)] }
