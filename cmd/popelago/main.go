// Command popelago is the mail store: its server, the commands for administrators, and a load
// generator. "popelago help" lists the commands.
//
// Each noun has one file. exit.go decides the exit codes. run prints errors once, to standard error.
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
	case errors.As(err, &settings):
		fmt.Fprintf(stderr, "popelago: the configuration cannot be used:\n  %s\n",
			strings.ReplaceAll(settings.Error(), "\n", "\n  "))
	default:
		fmt.Fprintf(stderr, "popelago: %v\n", err)
	}
	return exitCode(err)
}
