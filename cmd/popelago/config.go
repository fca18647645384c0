package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"popelago/app"
	"popelago/config"
)

func newConfigCommand() *cobra.Command {
	return newGroup("config", "Describe and check the configuration file, and see and reload a server's",
		newConfigDescribeCommand(), newConfigCheckCommand(), newConfigShowCommand(), newConfigReloadCommand())
}

func newConfigDescribeCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "describe",
		Short: "Print every setting with its default, as a file to start from",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if markdown {
				return config.DescribeMarkdown(cmd.OutOrStdout())
			}
			return config.Describe(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print a page of documentation")
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file, with the environment over it, without starting",
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(args[0], os.Environ())
			if err != nil {
				return err
			}
			if err := cfg.Validate(); err != nil {
				return err
			}
			if err := app.Check(cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s can be used\n", args[0])
			return err
		},
	}
}
