package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// settingsOf is an account or a domain, as the commands "set" and "settings" see them.
type settingsOf struct {
	// what is the name of the argument: ADDRESS or DOMAIN.
	what string
	get  func(*adminclient.Client, context.Context, string) (adminclient.Settings, error)
	set  func(*adminclient.Client, context.Context, string, map[string]string) (adminclient.Settings, error)
}

func accountSettings() settingsOf {
	return settingsOf{"ADDRESS", (*adminclient.Client).AccountSettings, (*adminclient.Client).SetAccountSettings}
}

func domainSettings() settingsOf {
	return settingsOf{"DOMAIN", (*adminclient.Client).DomainSettings, (*adminclient.Client).SetDomainSettings}
}

// changesOf reads arguments such as quota=2GiB.
func changesOf(args []string) (map[string]string, error) {
	changes := map[string]string{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return nil, &usageError{quoted(arg) + " is not NAME=VALUE, such as quota=2GiB"}
		}
		if _, twice := changes[name]; twice {
			return nil, &usageError{name + " is set twice"}
		}
		changes[name] = value
	}
	return changes, nil
}

// withSettings checks the arguments WHAT NAME=VALUE...
func withSettings(what string, required bool) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return &usageError{what + " is missing"}
		case len(args) == 1 && required:
			return &usageError{"NAME=VALUE is missing"}
		}
		_, err := changesOf(args[1:])
		return err
	}
}

func newSetCommand(f *remoteFlags, of settingsOf) *cobra.Command {
	return &cobra.Command{
		Use:   "set " + of.what + " NAME=VALUE...",
		Short: "Change settings by name",
		Long: `Change settings by name. "none" as the value removes a setting, so that the setting of the domain counts,
or else the setting of the server. "popelago account settings" without an address describes all settings.`,
		Example: "  popelago account set alice@example.org quota=2GiB over_quota=refuse\n" +
			"  popelago account set alice@example.org pop3=off reason=\"moved to another server\"",
		Args: withSettings(of.what, true),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := changesOf(args[1:])
			if err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error { return f.changeSettings(cmd, c, of, args[0], changes) })
		},
	}
}

// changeSettings changes settings and prints the new values.
func (f *remoteFlags) changeSettings(cmd *cobra.Command, c *adminclient.Client, of settingsOf, name string, changes map[string]string) error {
	s, err := of.set(c, cmd.Context(), name, changes)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), s)
	}
	for _, e := range s.Effective {
		if _, changed := changes[e.Name]; changed {
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s is %s%s\n", name, e.Name, orNothing(e.Value), from(of, e)); err != nil {
				return err
			}
		}
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "empty"
	}
	return s
}

// from names the source of a value, unless the value is the account's or the domain's own.
func from(of settingsOf, e adminclient.EffectiveSetting) string {
	text := ", as the " + e.Source
	if of.what == "ADDRESS" && e.Source == "account" || of.what == "DOMAIN" && e.Source == "domain" {
		text = ""
	}
	if e.BoundBy != "" {
		text = fmt.Sprintf(", by %s of the %s", e.BoundBy, e.BoundSource)
	}
	return text
}

// sourceOf describes the source of a value in a table, such as "account, bound by retention_max of the domain".
func sourceOf(e adminclient.EffectiveSetting) string {
	if e.BoundBy == "" {
		return e.Source
	}
	return fmt.Sprintf("%s, bound by %s of the %s", e.Source, e.BoundBy, e.BoundSource)
}

func newSettingsCommand(f *remoteFlags, of settingsOf) *cobra.Command {
	var tag bool
	cmd := &cobra.Command{
		Use:   "settings [" + of.what + "]",
		Short: "Show the settings in force and where they come from, or describe all settings",
		Args:  arguments("[" + of.what + "]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if tag && len(args) == 0 {
				return &usageError{"--tag needs " + of.what}
			}
			return f.call(func(c *adminclient.Client) error {
				if len(args) == 0 {
					return f.describeSettings(cmd, c, of)
				}
				s, err := of.get(c, cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if tag {
					return f.result(cmd.OutOrStdout(), map[string]string{"tag": s.Tag}, "%s", s.Tag)
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), s)
				}
				rows := make([][]string, len(s.Effective))
				for i, e := range s.Effective {
					rows[i] = []string{e.Name, e.Value, sourceOf(e)}
				}
				return printTable(cmd.OutOrStdout(), []string{"SETTING", "VALUE", "SOURCE"}, rows)
			})
		},
	}
	cmd.Flags().BoolVar(&tag, "tag", false, "print the entity-tag of the present state instead, for --if-match")
	return cmd
}

// describeSettings prints the settings that accounts or domains may have.
func (f *remoteFlags) describeSettings(cmd *cobra.Command, c *adminclient.Client, of settingsOf) error {
	infos, err := c.SettingInfos(cmd.Context())
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), infos)
	}
	whose := map[string]string{"ADDRESS": "account", "DOMAIN": "domain"}[of.what]
	for _, s := range infos {
		for _, who := range s.For {
			if who != whose {
				continue
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s (default: %s)\n    %s\n", s.Name, s.Form, orNothing(s.Default), s.Doc); err != nil {
				return err
			}
		}
	}
	return nil
}
