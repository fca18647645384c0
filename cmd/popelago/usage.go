package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"popelago/mail"
)

// usageError says that a command was called wrongly.
type usageError struct{ text string }

// Error is what was wrong.
func (e *usageError) Error() string { return e.text }

func quoted(s string) string { return strconv.Quote(s) }

// arguments checks that the arguments named are given, and no others. The last ones may be
// left out if they stand in brackets: [DOMAIN].
func arguments(names ...string) cobra.PositionalArgs {
	required := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			required++
		}
	}
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < required:
			return &usageError{fmt.Sprintf("%s is missing", names[len(args)])}
		case len(args) > len(names):
			return &usageError{fmt.Sprintf("%s is one argument too many", quoted(args[len(names)]))}
		}
		for i, arg := range args {
			if err := mail.CheckUTF8(arg); err != nil && names[i] != "FILE" {
				return &usageError{fmt.Sprintf("%s %s: %v", strings.Trim(names[i], "[]"), quoted(arg), err)}
			}
		}
		return nil
	}
}
