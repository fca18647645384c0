// Package suggest finds the name that a user probably meant, for messages about unknown names. config calls
// it for settings of the server, account for settings of accounts and domains. Pure functions; safe for
// concurrent use.
package suggest

import "slices"

// Nearest returns the name that differs least from s, in at most most octets; empty if all names differ
// more. Of equally near names the first in the order of the alphabet wins.
func Nearest(s string, names []string, most int) string {
	best, least := "", most+1
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := distance(s, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance returns the Levenshtein distance of two texts in octets.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
