package config

import (
	"fmt"
	"slices"
	"strings"
)

// unknownKey returns the text of the problem that keys lack key, with the most similar key.
func unknownKey(key string, keys []string) string {
	near := nearest(key, keys)
	if near == "" {
		// The name alone may be right, in the wrong section.
		name := key[strings.LastIndexByte(key, '.')+1:]
		for _, k := range slices.Sorted(slices.Values(keys)) {
			if k[strings.LastIndexByte(k, '.')+1:] == name {
				near = k
				break
			}
		}
	}
	if near != "" {
		return fmt.Sprintf("unknown setting; did you mean %s?", near)
	}
	return `unknown setting; "popelago config describe" lists all`
}

func unknownVariable(name string, names []string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("unknown setting in the environment; did you mean %s?", near)
	}
	return `unknown setting in the environment; "popelago config describe" lists all`
}

// nearest returns the name that differs least from s; empty if all names differ too much.
func nearest(s string, names []string) string {
	best, least := "", max(len(strings.TrimPrefix(s, envPrefix))/3, 2)+1
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
