package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newAddressCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("address", "Ask a running server about addresses", newAddressResolveCommand(f))
	f.add(cmd)
	return cmd
}

func newAddressResolveCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "resolve ADDRESS",
		Short: "Explain where mail for an address goes, by which rule",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				r, err := c.Resolve(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), r)
				}
				return printResolution(cmd.OutOrStdout(), r)
			})
		},
	}
}

// printResolution prints the steps, indented by their depth, and the result.
func printResolution(w io.Writer, r adminclient.Resolution) error {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "%s%s: %s", strings.Repeat("  ", s.Depth), s.Address, s.Result)
		if s.Rule != "" {
			fmt.Fprintf(&b, " (%s)", s.Rule)
		}
		if len(s.Targets) > 0 {
			fmt.Fprintf(&b, " -> %s", strings.Join(s.Targets, " "))
		}
		b.WriteByte('\n')
	}
	b.WriteString(r.Result)
	if r.Reason != "" {
		b.WriteString(": " + r.Reason)
	}
	b.WriteByte('\n')
	for _, to := range r.Recipients {
		fmt.Fprintf(&b, "delivered to %s\n", to.Address)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
