// Command popelago is the mail store: its server, the commands that administer it, and a load
// generator. "popelago help" lists the commands.
//
// One file per noun. Exit codes: 0 done, 1 failed, 2 called wrongly, 3 the answer is not whole
// (check). Errors are printed once, to standard error, by run.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"popelago/config"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitUnsure = 3
)

func main() { os.Exit(run(newRootCommand(), os.Args[1:])) }

// run runs the command that args name and returns the exit code.
func run(root *cobra.Command, args []string) int {
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitOK
	}
	stderr := cmd.ErrOrStderr()
	var usage *usageError
	var settings *config.Error
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "popelago: %v\nSee \"%s --help\".\n", err, cmd.CommandPath())
		return exitUsage
	case errors.As(err, &settings):
		fmt.Fprintf(stderr, "popelago: the configuration cannot be used:\n  %s\n",
			strings.ReplaceAll(settings.Error(), "\n", "\n  "))
	default:
		fmt.Fprintf(stderr, "popelago: %v\n", err)
	}
	var unsure *unsureError
	if errors.As(err, &unsure) {
		return exitUnsure
	}
	return exitFailed
}
