package config

import (
	"cmp"
	"slices"
	"strings"
)

// Error lists all problems of a configuration.
type Error struct {
	Problems []Problem
}

// Problem is one mistake in a configuration.
type Problem struct {
	// Where is file:line, file, or the name of a variable; empty for a missing setting without a file.
	Where string
	// Key of the setting; may be empty.
	Key string
	// Text describes the mistake and the remedy.
	Text string

	file string // for the order
	line int
}

// String returns "where: key: text".
func (p Problem) String() string {
	var parts []string
	for _, s := range []string{p.Where, p.Key, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Error returns all problems, one per line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// errorOf returns an Error with problems in the order of their places; nil without problems.
func errorOf(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(-cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return &Error{Problems: problems}
}
