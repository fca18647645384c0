package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newApplyCommand() *cobra.Command {
	f := &remoteFlags{}
	var dryRun, prune bool
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Make domains, accounts, aliases, groups and settings as a file describes them",
		Long: `Make domains, accounts, aliases, groups and settings as a file describes them, "-" for standard input.
"popelago export" prints the present state in the same form (TOML). Every difference is printed; a second
run finds none. The file has no passwords: a new account has none, until "popelago account passwd" or
"popelago import" sets one.

Things that the file does not name stay as they are. --prune removes them, but only within the domains that
the file names: accounts with their mail, aliases, groups, members of groups, and settings. No domain is
ever removed. --prune refuses an export that was cut off, and a domain with accounts for which the file has no
table of accounts.

An account, a domain or an alias that somebody else changes between the comparison and the change stays as
it is, and the command ends with exit code 73: run it again.`,
		Example: "  popelago export example.org >example.org.toml\n  popelago apply example.org.toml --dry-run",
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readInput(cmd, args[0], maxDirectoryFile)
			if err != nil {
				return err
			}
			file, err := readDirectoryFile(text)
			if err == nil && prune {
				err = checkWhole(text)
			}
			if err != nil {
				return withExit(exitData, fmt.Errorf("%s: %w", args[0], err))
			}
			return f.call(func(c *adminclient.Client) error {
				p, err := planOf(cmd.Context(), c, file, prune)
				if err != nil {
					return err
				}
				if err := f.printPlan(cmd.OutOrStdout(), p, dryRun); err != nil || dryRun {
					return err
				}
				return p.run(cmd.Context(), c)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the differences, and change nothing")
	cmd.Flags().BoolVar(&prune, "prune", false, "remove what the file does not name, within the domains of the file")
	return cmd
}

// change is a difference between a file and the server.
type change struct {
	// Text describes the change, such as "+ alias sales@example.org -> alice@example.org".
	Text string `json:"change"`
	do   func(context.Context, *adminclient.Client) error
	// user is an account to be made or changed, in a batch; then do is nil.
	user *adminclient.ImportedAccount
}

// plan holds the changes in the order in which they are made.
type plan struct {
	domains  []change // made first
	removals []change
	accounts []change
	// aliases and groups may need each other: a change without a target yet is repeated at the end.
	aliases  []change
	settings []change // of domains, which may name addresses
	// kept counts accounts, aliases, groups, members and settings of the server without a name in the file.
	kept int
}

func (p *plan) all() []change {
	return slices.Concat(p.domains, p.removals, p.accounts, p.aliases, p.settings)
}

// planOf compares a file with the server.
func planOf(ctx context.Context, c *adminclient.Client, file directoryFile, prune bool) (*plan, error) {
	p := &plan{}
	for _, name := range sortedKeys(file.Domains) {
		present, err := readPresent(ctx, c, name)
		if err != nil {
			return nil, fmt.Errorf("domain %s: %w", name, err)
		}
		if n := len(present.file.Accounts); n > 0 && prune && file.Domains[name].withoutAccounts {
			return nil, withExit(exitData, fmt.Errorf(
				"domain %s: the file has no table [domains.%s.accounts], and --prune would remove all %d accounts with their mail: write the table, without lines if the removal is meant",
				name, tomlText(name), n))
		}
		p.compare(name, file.Domains[name], present, prune)
	}
	return p, nil
}

func (p *plan) compare(domain string, want domainFile, present presentDomain, prune bool) {
	if !present.exists {
		p.domains = append(p.domains, change{Text: "+ domain " + domain, do: func(ctx context.Context, c *adminclient.Client) error {
			_, err := c.AddDomain(ctx, domain)
			return err
		}})
	}
	changes, texts := p.settingsDiff(want.Settings, present.file.Settings, prune)
	if len(changes) > 0 {
		tag := present.tag
		p.settings = append(p.settings, change{Text: "~ domain " + domain + ": " + texts, do: func(ctx context.Context, c *adminclient.Client) error {
			_, err := c.IfMatch(tag).SetDomainSettings(ctx, domain, changes)
			return err
		}})
	}
	full := func(local string) string { return mail.Address{Local: local, Domain: domain}.String() }
	p.compareAccounts(full, want, present, prune)
	p.compareAliases(full, want, present, prune)
	p.compareGroups(full, want, present, prune)
}

// settingsDiff returns the settings to be changed, by name, and their description.
func (p *plan) settingsDiff(want, present map[string]string, prune bool) (changes map[string]string, text string) {
	changes = map[string]string{}
	for name, value := range want {
		if name != keyState && present[name] != value {
			changes[name] = value
		}
	}
	for name := range present {
		if _, named := want[name]; named || name == keyState {
			continue
		}
		if prune {
			changes[name] = ""
		} else {
			p.kept++
		}
	}
	var texts []string
	for _, name := range sortedKeys(changes) {
		texts = append(texts, fmt.Sprintf("%s %s -> %s", name, orNone(present[name]), orNone(changes[name])))
	}
	return changes, strings.Join(texts, ", ")
}

func orNone(value string) string { return cmp.Or(value, "none") }

func (p *plan) compareAccounts(full func(string) string, want domainFile, present presentDomain, prune bool) {
	for _, local := range sortedKeys(want.Accounts) {
		user := &adminclient.ImportedAccount{Address: exactAddress(full(local))}
		before, exists := present.file.Accounts[local]
		changes, text := p.settingsDiff(want.Accounts[local], before, prune && exists)
		if len(changes) > 0 {
			user.Settings = changes
		}
		state, stateBefore := want.Accounts[local][keyState], cmp.Or(before[keyState], adminclient.Enabled)
		if state != "" && state != stateBefore {
			user.State = state
			text = strings.TrimPrefix(text+", state "+stateBefore+" -> "+state, ", ")
		}
		switch {
		case !exists:
			if text != "" {
				text = ": " + text
			}
			p.accounts = append(p.accounts, change{Text: "+ account " + full(local) + ", without a password" + text, user: user})
		case text != "":
			user.IfMatch = present.tags[local]
			p.accounts = append(p.accounts, change{Text: "~ account " + full(local) + ": " + text, user: user})
		}
	}
	for _, local := range sortedKeys(present.file.Accounts) {
		if _, named := want.Accounts[local]; named {
			continue
		}
		tag := present.tags[local]
		p.remove(prune, "- account "+full(local)+", with its mail", func(ctx context.Context, c *adminclient.Client) error {
			_, err := c.IfMatch(tag).RemoveAccount(ctx, full(local))
			return err
		})
	}
}

// remove adds a removal, or with prune off counts a kept part.
func (p *plan) remove(prune bool, text string, do func(context.Context, *adminclient.Client) error) {
	if !prune {
		p.kept++
		return
	}
	p.removals = append(p.removals, change{Text: text, do: do})
}

func (p *plan) compareAliases(full func(string) string, want domainFile, present presentDomain, prune bool) {
	for _, local := range sortedKeys(want.Aliases) {
		targets, address, tag := want.Aliases.targets(local), full(local), present.tags[local]
		before := present.file.Aliases.targets(local)
		to := " -> " + orNone(strings.Join(targets, " "))
		switch _, exists := present.file.Aliases[local]; {
		case !exists:
			p.aliases = append(p.aliases, change{Text: "+ alias " + address + to, do: func(ctx context.Context, c *adminclient.Client) error {
				_, err := c.AddAlias(ctx, exactAddress(address), targets...)
				return err
			}})
		case !slices.Equal(before, targets):
			p.aliases = append(p.aliases, change{Text: "~ alias " + address + ": " + orNone(strings.Join(before, " ")) + to, do: func(ctx context.Context, c *adminclient.Client) error {
				_, err := c.IfMatch(tag).SetAliasTarget(ctx, address, targets...)
				return err
			}})
		}
	}
	for _, local := range sortedKeys(present.file.Aliases) {
		if _, named := want.Aliases[local]; !named {
			tag := present.tags[local]
			p.remove(prune, "- alias "+full(local), func(ctx context.Context, c *adminclient.Client) error {
				return c.IfMatch(tag).RemoveAlias(ctx, full(local))
			})
		}
	}
}

func (p *plan) compareGroups(full func(string) string, want domainFile, present presentDomain, prune bool) {
	for _, local := range sortedKeys(want.Groups) {
		members, address := want.Groups[local], full(local)
		before, exists := present.file.Groups[local]
		if !exists {
			p.aliases = append(p.aliases, change{Text: "+ group " + address + ": " + strings.Join(members, " "), do: func(ctx context.Context, c *adminclient.Client) error {
				_, err := c.AddGroup(ctx, exactAddress(address), members)
				return err
			}})
			continue
		}
		for _, m := range members {
			if !slices.Contains(before, m) {
				p.aliases = append(p.aliases, change{Text: "~ group " + address + ": + " + m, do: func(ctx context.Context, c *adminclient.Client) error {
					_, err := c.AddMember(ctx, address, m)
					return err
				}})
			}
		}
		for _, m := range before {
			if !slices.Contains(members, m) {
				p.remove(prune, "~ group "+address+": - "+m, func(ctx context.Context, c *adminclient.Client) error {
					_, err := c.RemoveMember(ctx, address, m)
					return err
				})
			}
		}
	}
	for _, local := range sortedKeys(present.file.Groups) {
		if _, named := want.Groups[local]; !named {
			tag := present.tags[local]
			p.remove(prune, "- group "+full(local), func(ctx context.Context, c *adminclient.Client) error {
				return c.IfMatch(tag).RemoveGroup(ctx, full(local))
			})
		}
	}
}

// printPlan prints the changes, before they are made.
func (f *remoteFlags) printPlan(w io.Writer, p *plan, dryRun bool) error {
	all := p.all()
	if f.json {
		return printJSON(w, append([]change{}, all...))
	}
	for _, c := range all {
		if _, err := fmt.Fprintln(w, c.Text); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("changes: %d", len(all))
	if dryRun {
		text += "; nothing was changed"
	}
	if p.kept > 0 {
		text += fmt.Sprintf("; not in the file, and kept: %d", p.kept)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// run makes the changes, and ends at the first failure: a repetition makes the rest.
func (p *plan) run(ctx context.Context, c *adminclient.Client) error {
	for _, step := range slices.Concat(p.domains, p.removals) {
		if err := step.do(ctx, c); err != nil && !hasStatus(err, http.StatusNotFound) {
			return explainApply(step, err)
		}
	}
	if err := p.runAccounts(ctx, c); err != nil {
		return err
	}
	if err := p.runAliases(ctx, c); err != nil {
		return err
	}
	for _, step := range p.settings {
		if err := step.do(ctx, c); err != nil {
			return explainApply(step, err)
		}
	}
	return nil
}

// runAccounts makes and changes accounts in batches.
func (p *plan) runAccounts(ctx context.Context, c *adminclient.Client) error {
	users := make([]userLine, len(p.accounts))
	for i, step := range p.accounts {
		users[i] = userLine{number: i, account: *step.user}
	}
	results, err := sendUsers(ctx, c, users, false)
	if err != nil {
		return err
	}
	var refusals []error // the accounts of a batch are independent of each other
	for i, r := range results {
		if r.Reason != "" {
			refusals = append(refusals, explainApply(p.accounts[i], &adminclient.Error{Status: r.Status, Detail: r.Reason}))
		}
	}
	return errors.Join(refusals...)
}

// runAliases makes aliases and groups. After a conflict, such as a target without an account yet, a change is
// tried again as long as further changes succeed.
func (p *plan) runAliases(ctx context.Context, c *adminclient.Client) error {
	for left := p.aliases; len(left) > 0; {
		var again []change
		var refusal error
		for _, step := range left {
			err := step.do(ctx, c)
			switch {
			case hasStatus(err, http.StatusConflict):
				again = append(again, step)
				if refusal == nil {
					refusal = explainApply(step, err)
				}
			case err != nil:
				return explainApply(step, err)
			}
		}
		if len(again) == len(left) {
			return refusal
		}
		left = again
	}
	return nil
}

// explainApply names the change that failed.
func explainApply(step change, err error) error {
	if hasStatus(err, http.StatusPreconditionFailed) {
		return fmt.Errorf("%s: somebody else has changed it meanwhile, and it stays as it is: run the command again: %w", step.Text, err)
	}
	return fmt.Errorf("%s: %w", step.Text, err)
}

// hasStatus reports whether the server refused a request with a status.
func hasStatus(err error, status int) bool {
	var refusal *adminclient.Error
	return errors.As(err, &refusal) && refusal.Status == status
}
