package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"popelago/app"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "popelago %s\n", versionText())
			return err
		},
	}
}

// versionText returns the version of the program, with compiler and platform.
func versionText() string {
	return fmt.Sprintf("%s (%s, %s/%s)", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
