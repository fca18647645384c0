package config

import (
	"fmt"
	"slices"
	"strings"

	"popelago/suggest"
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
	return suggest.Nearest(s, names, max(len(strings.TrimPrefix(s, envPrefix))/3, 2))
}
