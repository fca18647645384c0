// Command popelago is the mail store: its server, the commands for administrators, and a load
// generator. "popelago help" lists the commands.
//
// Each noun has one file. Exit codes: 0 done, 1 failed, 2 wrong usage, 3 incomplete answer (check);
// commands for mailers exit as sysexits.h says.
// run prints errors once, to standard error.
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

// run runs the command named by args and returns the exit code.
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
		return exitCode(err, exitUsage)
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
	return exitCode(err, exitFailed)
}
