package config

import (
	"cmp"
	"slices"
	"strings"
)

// Error is everything that is wrong with a configuration, one problem a line.
type Error struct {
	Problems []Problem
}

// Problem is one thing that is wrong.
type Problem struct {
	// Where is file:line, file, or the name of a variable; empty when a setting is missing
	// that nothing names.
	Where string
	// Key is the setting concerned; may be empty.
	Key string
	// Text says what is wrong and what would be right.
	Text string

	file string // for the order
	line int
}

// String is "where: key: text".
func (p Problem) String() string {
	var parts []string
	for _, s := range []string{p.Where, p.Key, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Error is all problems, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// errorOf makes an Error of problems in the order of their places, or nil of none.
func errorOf(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(-cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return &Error{Problems: problems}
}
