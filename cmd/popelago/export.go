package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newExportCommand() *cobra.Command {
	f := &remoteFlags{}
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "export [DOMAIN]",
		Short: "Print domains with their accounts, aliases, groups and settings, without secrets",
		Long: `Print the domains within the scopes of the caller, or one of them, with their accounts, aliases, groups
and settings, in the form of "popelago apply" (TOML), or the accounts alone in the form of "popelago import".
Passwords and their hashes are not part of either.`,
		Example: "  popelago export example.org >example.org.toml\n  popelago export example.org --csv >users.csv",
		Args:    arguments("[DOMAIN]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.json {
				return &usageError{"export prints TOML, or CSV with --csv"}
			}
			return f.call(func(c *adminclient.Client) error {
				if asCSV {
					return exportCSV(cmd, c, args)
				}
				return exportTOML(cmd, c, args)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the accounts as comma-separated values")
	return cmd
}

// presentDomain is a domain as the server has it.
type presentDomain struct {
	exists bool
	file   domainFile
	// tag is the entity-tag of the domain, tags those of accounts, aliases and groups by local-part.
	tag  string
	tags map[string]string
}

// readPresent reads a domain, hosted or not.
func readPresent(ctx context.Context, c *adminclient.Client, domain string) (p presentDomain, err error) {
	p.file = domainFile{Settings: map[string]string{}, Accounts: map[string]map[string]string{}, Aliases: aliasTable{}, Groups: map[string][]string{}}
	p.tags = map[string]string{}
	settings, err := c.DomainSettings(ctx, domain)
	if hasStatus(err, http.StatusNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.exists, p.tag, p.file.Settings = true, settings.Tag, settings.Settings
	err = eachPage(accountsOf(ctx, c, domain, "address", "state", "own", "tag"), func(page []adminclient.ListedAccount) error {
		for _, a := range page {
			local := localOf(a.Address)
			values := map[string]string{}
			maps.Copy(values, a.Own)
			if a.State != adminclient.Enabled {
				values[keyState] = a.State
			}
			p.file.Accounts[local], p.tags[local] = values, a.Tag
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	return p, p.readAliases(ctx, c, domain)
}

// accountsOf returns the list of the accounts of a domain with some fields, for eachPage.
func accountsOf(ctx context.Context, c *adminclient.Client, domain string, fields ...string) func(after string) ([]adminclient.ListedAccount, string, error) {
	return func(after string) ([]adminclient.ListedAccount, string, error) {
		page, err := c.SearchAccounts(ctx, domain, adminclient.AccountQuery{Fields: fields}, after, accountPage)
		return page.Accounts, page.Next, err
	}
}

func (p *presentDomain) readAliases(ctx context.Context, c *adminclient.Client, domain string) error {
	err := eachPage(func(after string) ([]adminclient.Alias, string, error) {
		page, err := c.Aliases(ctx, domain, after, accountPage)
		return page.Aliases, page.Next, err
	}, func(page []adminclient.Alias) error {
		for _, a := range page {
			slices.Sort(a.Targets)
			p.file.Aliases[localOf(a.Address)], p.tags[localOf(a.Address)] = a.Targets, a.Tag
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachPage(func(after string) ([]adminclient.Group, string, error) {
		page, err := c.Groups(ctx, domain, after, accountPage)
		return page.Groups, page.Next, err
	}, func(page []adminclient.Group) error {
		for _, g := range page {
			slices.Sort(g.Members)
			p.file.Groups[localOf(g.Address)], p.tags[localOf(g.Address)] = g.Members, g.Tag
		}
		return nil
	})
}

// localOf returns the local-part of an address in the server's form.
func localOf(address string) string {
	a, _ := mail.SplitAddress(address)
	return a.Local
}

// The begin of the first line of an export, and the last line. An export that a full disk or a broken connection has cut
// lacks the last line, but may still be valid TOML.
const (
	exportBegin = `# Made by "popelago export"`
	exportEnd   = "# End of the export."
)

// checkWhole reports an export that was cut. A file without the first line of an export is somebody's own.
func checkWhole(text []byte) error {
	if bytes.Count(text, []byte(exportBegin)) > bytes.Count(text, []byte(exportEnd)) {
		return errors.New("the file begins like an export and lacks its last line (" + exportEnd + "), so it may be cut off: --prune would remove the accounts of the " +
			"lost part with their mail; export again, or remove the first line if the file is whole")
	}
	return nil
}

func exportTOML(cmd *cobra.Command, c *adminclient.Client, args []string) error {
	domains, err := domainsOf(cmd.Context(), c, args)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if _, err := fmt.Fprintln(out, exportBegin+`, for "popelago apply". Passwords are not part of this file.`); err != nil {
		return err
	}
	for _, domain := range domains {
		p, err := readPresent(cmd.Context(), c, domain)
		switch {
		case err != nil:
			return err
		case !p.exists:
			return withExit(exitNoUser, fmt.Errorf("domain %s: no such domain", domain))
		}
		if name, err := mail.CanonicalDomain(domain); err == nil {
			domain = name
		}
		if err := p.file.write(out, domain); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, "\n"+exportEnd)
	return err
}

// exportCSV prints accounts page by page. A column stands for every setting of accounts.
func exportCSV(cmd *cobra.Command, c *adminclient.Client, args []string) error {
	domains, err := domainsOf(cmd.Context(), c, args)
	if err != nil {
		return err
	}
	settings, err := accountSettingNames(cmd.Context(), c)
	if err != nil {
		return err
	}
	header := append([]string{columnAddress, columnState}, settings...)
	w := csv.NewWriter(cmd.OutOrStdout())
	if err := w.Write(header); err != nil {
		return err
	}
	for _, domain := range domains {
		err := eachPage(accountsOf(cmd.Context(), c, domain, "address", "state", "own"), func(page []adminclient.ListedAccount) error {
			return writeUsers(w, header, page)
		})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func writeUsers(w *csv.Writer, header []string, accounts []adminclient.ListedAccount) error {
	for _, a := range accounts {
		row := make([]string, len(header))
		for i, name := range header {
			switch name {
			case columnAddress:
				row[i] = exactAddress(a.Address)
			case columnState:
				row[i] = a.State
			default:
				row[i] = a.Own[name]
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	return nil
}

// exactAddress returns an address of the server in the form of requests for new accounts: an unusual local-part
// stands in quotes.
func exactAddress(address string) string {
	a, ok := mail.SplitAddress(address)
	if !ok {
		return address
	}
	return a.PathString()
}
