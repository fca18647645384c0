package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newConfigShowCommand() *cobra.Command {
	f := &remoteFlags{}
	var nonDefault bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the settings in force on a running server, with their origin",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				settings, err := c.Settings(cmd.Context(), nonDefault)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), settings)
				}
				rows := make([][]string, len(settings))
				for i, s := range settings {
					origin := s.Origin
					if origin == "" {
						origin = "default"
					}
					rows[i] = []string{s.Key, s.Value, origin}
				}
				return printTable(cmd.OutOrStdout(), []string{"SETTING", "VALUE", "ORIGIN"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&nonDefault, "non-default", false, "only settings that differ from their default")
	f.add(cmd)
	return cmd
}

func newConfigReloadCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make a running server read its configuration and its certificate again",
		Long: `Make a running server read its configuration and its certificate again. A mistake anywhere
leaves all settings as they are. The answer names the changed settings that count now, and
those that need a restart.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				r, err := c.Reload(cmd.Context())
				var refusal *adminclient.Error
				if errors.As(err, &refusal) && refusal.Status == http.StatusUnprocessableEntity {
					return withExit(exitConfig, err)
				}
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), r)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "in force now: %s\nneeds a restart: %s\n", listOrNone(r.Applied), listOrNone(r.Restart))
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

func listOrNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
