package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newDomainCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("domain", "Manage the domains of a running server",
		newDomainAddCommand(f), newDomainListCommand(f), f.addIfMatch(newDomainSetCommand(f)), newSettingsCommand(f, domainSettings()),
		f.addIfMatch(newDomainRemoveCommand(f)))
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
				list, err := c.Partial().ReadableDomains(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), list.Domains)
				} else {
					rows := make([][]string, len(list.Domains))
					for i, d := range list.Domains {
						rows[i] = []string{d.Name, domainDurability(d), d.Retention, when(d.Created)}
					}
					err = printTable(cmd.OutOrStdout(), []string{"DOMAIN", "DURABILITY", "RETENTION", "CREATED"}, rows)
				}
				return cmp.Or(err, unreadParts(list.Unread).err())
			})
		},
	}
}

func domainDurability(d adminclient.Domain) string {
	return mail.Durability(d.Durability).String()
}

func newDomainSetCommand(f *remoteFlags) *cobra.Command {
	var settings adminclient.DomainSettings
	cmd := &cobra.Command{
		Use:   "set DOMAIN (--durability D | --retention R | NAME=VALUE)...",
		Short: "Change the settings of a domain",
		Long: `Change the settings of a domain.

--durability says what a message, a removal or a change has to reach before it is acknowledged,
where there are several datacenters:
  local          a quorum of the server's own datacenter
  each           a quorum of every datacenter; mail is put off (451) while one cannot be reached
  each-or-local  the same, but the own datacenter will do while another cannot be reached
  default        as the server is set

--retention says how long messages stay at most: days such as 90d, hours such as 36h, or forever.
Accounts may have their own. What is older disappears at once; a longer retention later brings
back only what was not removed by then.

NAME=VALUE changes a setting by name, for all accounts that have no such setting of their own. "none" as
the value removes a setting. "popelago domain settings" without a domain describes all settings.`,
		Example: "  popelago domain set example.org --durability each --retention 90d\n" +
			"  popelago domain set example.org quota=2GiB reading=each-or-local",
		Args: withSettings("DOMAIN", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case settings.Durability == "" && settings.Retention == "" && len(args) == 1:
				return &usageError{"--durability, --retention or NAME=VALUE is needed"}
			case settings.Retention != "":
				if err := checkRetention(settings.Retention); err != nil {
					return err
				}
			}
			if len(args) > 1 {
				changes, err := domainChanges(args[1:], settings)
				if err != nil {
					return err
				}
				return f.call(func(c *adminclient.Client) error { return f.changeSettings(cmd, c, domainSettings(), args[0], changes) })
			}
			return f.call(func(c *adminclient.Client) error {
				d, err := c.ChangeDomain(cmd.Context(), args[0], settings)
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), d, "domain %s: durability %s, retention %s", d.Name, domainDurability(d), d.Retention)
			})
		},
	}
	cmd.Flags().StringVar(&settings.Durability, "durability", "", "`D`: local, each, each-or-local or default")
	cmd.Flags().StringVar(&settings.Retention, "retention", "", "`R`: such as 90d, or forever")
	return cmd
}

// domainChanges reads arguments such as quota=2GiB together with the flags.
func domainChanges(args []string, flags adminclient.DomainSettings) (map[string]string, error) {
	changes, err := changesOf(args)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"durability": flags.Durability, "retention": flags.Retention} {
		if _, twice := changes[name]; twice && value != "" {
			return nil, &usageError{name + " is set twice"}
		}
		switch value {
		case "":
		case mail.DurabilityDefault.String():
			changes[name] = ""
		default:
			changes[name] = value
		}
	}
	return changes, nil
}

// checkRetention finds mistakes before a server is asked.
func checkRetention(s string) error {
	if _, err := mail.ParseRetention(s); err != nil {
		return &usageError{err.Error()}
	}
	return nil
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
