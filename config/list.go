package config

import (
	"fmt"
	"slices"
	"strings"
)

// list is a setting with several texts, separated by commas in the environment.
type list struct {
	p    *[]string
	what string // a phrase for a text of the list
	// check checks a text of the list.
	check func(string) error
	// secret: no text is shown, since a text may have a password.
	secret bool
}

func nodes(p *[]string) *list {
	return &list{p: p, what: `a host such as "10.0.0.1", "node1.example.org" or "[fd00::1]:9042"`, check: checkNode}
}

func (l *list) set(v any) error {
	items, ok := v.([]any)
	if !ok {
		return fmt.Errorf(`%s is not a list such as ["a", "b"]`, show(v))
	}
	var texts []string
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("%s in the list is not %s", show(item), l.what)
		}
		texts = append(texts, s)
	}
	return l.take(texts)
}

func (l *list) parse(s string) error {
	var texts []string
	if strings.TrimSpace(s) != "" {
		for item := range strings.SplitSeq(s, ",") {
			texts = append(texts, strings.TrimSpace(item))
		}
	}
	return l.take(texts)
}

func (l *list) take(texts []string) error {
	if err := l.checkAll(texts); err != nil {
		return err
	}
	*l.p = texts
	return nil
}

func (l *list) checkAll(texts []string) error {
	for i, s := range texts {
		if err := l.check(s); err != nil {
			if l.secret {
				return fmt.Errorf("entry %d is not %s: %w", i+1, l.what, err)
			}
			return fmt.Errorf("%s is not %s: %w", show(s), l.what, err)
		}
		if slices.Contains(texts[:i], s) {
			return fmt.Errorf("%s is named twice", show(s))
		}
	}
	return nil
}

func (l *list) literal() string {
	quoted := make([]string, len(*l.p))
	for i, s := range *l.p {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (l *list) form() string { return "a list, each " + l.what }
