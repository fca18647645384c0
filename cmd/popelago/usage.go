package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"popelago/mail"
)

// usageError reports wrong usage of a command.
type usageError struct{ text string }

// Error describes the wrong usage.
func (e *usageError) Error() string { return e.text }

// flagFault returns the text of an error of a flag. The texts of the library show the parser of Go.
func flagFault(err error) string {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	form := map[string]string{
		"int": "a whole number", "int64": "a whole number", "uint": "a whole number", "uint64": "a whole number", "float64": "a number",
		"duration": `a duration such as "90s" or "10m"`, "bool": "true or false",
	}[bad.GetFlag().Value.Type()]
	if form == "" {
		return "--" + bad.GetFlag().Name + ": " + bad.Unwrap().Error()
	}
	return "--" + bad.GetFlag().Name + ": " + quoted(bad.GetValue()) + " is not " + form
}

func quoted(s string) string { return strconv.Quote(s) }

// arguments checks that exactly the named arguments are given. The last ones are optional if they
// stand in brackets: [DOMAIN].
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
