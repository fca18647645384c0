package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// counts is a setting with a table of names and numbers: {dc1 = 3, dc2 = 3}. In the environment the
// table is written dc1=3,dc2=3.
type counts struct {
	p        *map[string]int
	min, max int
	what     string // a phrase for a name
	// check checks a name.
	check func(string) error
}

// replicas is a setting with the number of replicas of each datacenter.
func replicas(p *map[string]int) *counts {
	return &counts{p: p, min: 1, max: 99, what: "the name of a datacenter", check: checkDatacenter}
}

func (c *counts) set(v any) error {
	table, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is not a table such as {dc1 = 3, dc2 = 3}", show(v))
	}
	var m map[string]int
	for _, name := range slices.Sorted(maps.Keys(table)) {
		n, ok := table[name].(int64)
		if !ok {
			return fmt.Errorf("%s: %s is not a whole number such as 3", show(name), show(table[name]))
		}
		// On 32-bit machines: keep the number out of range.
		m = with(m, name, int(min(max(n, -1), int64(c.max)+1)))
	}
	return c.take(m)
}

func (c *counts) parse(s string) error {
	var m map[string]int
	for item := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(s) == "" {
			break
		}
		name, number, _ := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		n, err := strconv.Atoi(strings.TrimSpace(number))
		if err != nil {
			return fmt.Errorf("%s is not like dc1=3,dc2=3", show(s))
		}
		if _, twice := m[name]; twice {
			return fmt.Errorf("%s is named twice", show(name))
		}
		m = with(m, name, n)
	}
	return c.take(m)
}

// with returns m with one more entry; m may be nil.
func with(m map[string]int, name string, n int) map[string]int {
	if m == nil {
		m = map[string]int{}
	}
	m[name] = n
	return m
}

func (c *counts) take(m map[string]int) error {
	if err := c.checkAll(m); err != nil {
		return err
	}
	*c.p = m
	return nil
}

func (c *counts) checkAll(m map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := c.check(name); err != nil {
			return fmt.Errorf("%s is not %s: %w", show(name), c.what, err)
		}
		if n := m[name]; n < c.min || n > c.max {
			return fmt.Errorf("%s: the number must be %d to %d", show(name), c.min, c.max)
		}
	}
	return nil
}

func (c *counts) literal() string {
	var entries []string
	for _, name := range slices.Sorted(maps.Keys(*c.p)) {
		entries = append(entries, fmt.Sprintf("%s = %d", bareKey(name), (*c.p)[name]))
	}
	return "{" + strings.Join(entries, ", ") + "}"
}

func (c *counts) form() string {
	return fmt.Sprintf("a table such as {dc1 = 3, dc2 = 3}, numbers %d to %d", c.min, c.max)
}

// bareKey returns a name as a key of TOML, with quotes if needed.
func bareKey(name string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return quote(name)
}

// checkDatacenter refuses texts that cannot be the name of a datacenter or a rack, or cannot be
// written in the environment.
func checkDatacenter(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case strings.TrimSpace(s) != s:
		return errors.New("it begins or ends with a space")
	case len(s) > 100:
		return errors.New("it is longer than 100 octets")
	case strings.ContainsAny(s, `,='"\`) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("it holds a character that such names do not have")
	}
	return nil
}
