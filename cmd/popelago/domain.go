package main

import (
	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newDomainCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("domain", "Manage the domains of a running server",
		newDomainAddCommand(f), newDomainListCommand(f), newDomainRemoveCommand(f))
	f.add(cmd)
	return cmd
}

func newDomainAddCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "add DOMAIN",
		Short: "Start hosting a domain",
		Args:  arguments("DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				d, err := c.AddDomain(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), d, "domain %s added", d.Name)
			})
		},
	}
}

func newDomainListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the domains",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				domains, err := c.Domains(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), domains)
				}
				rows := make([][]string, len(domains))
				for i, d := range domains {
					rows[i] = []string{d.Name, when(d.Created)}
				}
				return printTable(cmd.OutOrStdout(), []string{"DOMAIN", "CREATED"}, rows)
			})
		},
	}
}

func newDomainRemoveCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove DOMAIN",
		Short: "Stop hosting a domain that has no accounts",
		Args:  arguments("DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if err := c.RemoveDomain(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]string{"name": args[0]}, "domain %s removed", args[0])
			})
		},
	}
}
