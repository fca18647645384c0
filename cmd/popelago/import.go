package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"popelago/adminclient"
	"popelago/mail"
)

// Bounds of an import: accounts and octets of a request, and requests at the same time.
const (
	importBatch    = 250
	importOctets   = 40 << 10
	importParallel = 4
)

// outcomeUntried is the outcome of a line without an answer.
const outcomeUntried = "unknown"

func newImportCommand() *cobra.Command {
	f := &remoteFlags{}
	var dryRun, quiet bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make and change accounts from a file of comma-separated values",
		Long: `Make and change accounts from a file of comma-separated values, "-" for standard input. The first
line names the columns: address; password or password_hash (argon2id, bcrypt, SHA-256 or SHA-512 crypt);
state (enabled or disabled); and names of settings of accounts. Every other line is one account. An empty
field leaves its part of the account as it is, and "none" removes a setting.

An account that does not exist is made, and an account that differs is changed. The report says for each
line: made, changed, unchanged, refused with the reason, or failed. A refused line changes nothing else. The
same file again changes nothing. A password in clear text costs the server a hash, for the second run too.
No password is ever printed.

Exit codes: 0 all lines count, 1 lines were refused, 75 lines failed and should be repeated, 69 the outcome of
lines is unknown, because the server gave no answer, and the command should be repeated, 65 the file has no
usable header.`,
		Example: "  popelago import users.csv --dry-run\n  popelago import users.csv --quiet",
		Args:    arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readInput(cmd, args[0], maxUsersFile)
			if err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				users, err := usersOf(cmd.Context(), c, text)
				if err != nil {
					return err
				}
				results, err := sendUsers(cmd.Context(), c, users, dryRun)
				if errors.Is(err, adminclient.ErrNoAnswer) {
					err = fmt.Errorf("%w\nLines with an unknown outcome may count or not: run the command again, which changes nothing twice", err)
				}
				return errors.Join(err, f.reportImport(cmd.OutOrStdout(), results, dryRun, quiet, err == nil))
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing, and report what would be changed")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print refused and failed lines and the summary alone")
	return cmd
}

// Limits of the octets of a file. import holds up to 15 times as much in memory, 1 GB for 500,000 users with hashes. A domain
// for apply --prune cannot be in several files, so its limit is larger.
const (
	maxUsersFile     = 64 << 20
	maxDirectoryFile = 256 << 20
)

// readInput reads a file of up to limit octets, or standard input for "-".
func readInput(cmd *cobra.Command, name string, limit int64) ([]byte, error) {
	input := cmd.InOrStdin()
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		input = file
	}
	return readAtMost(input, name, limit)
}

// readAtMost reads the input of a name to its end. A longer input is an error, so no part of it counts as the whole.
func readAtMost(input io.Reader, name string, limit int64) ([]byte, error) {
	if name == "-" {
		name = "standard input"
	}
	text, err := io.ReadAll(io.LimitReader(input, limit+1))
	switch {
	case err != nil:
		return nil, withExit(exitNoInput, fmt.Errorf("read %s: %w", name, err))
	case int64(len(text)) > limit:
		return nil, withExit(exitData, fmt.Errorf("%s has more than %d MiB: make several files of it, each with the header or the table of its domain", name, limit>>20))
	}
	return text, nil
}

// usersOf reads the users of a file. The server names the settings.
func usersOf(ctx context.Context, c *adminclient.Client, text []byte) ([]userLine, error) {
	settings, err := accountSettingNames(ctx, c)
	if err != nil {
		return nil, err
	}
	users, err := readUsers(text, settings)
	return users, withExit(exitData, err)
}

// accountSettingNames returns the names of the settings of accounts.
func accountSettingNames(ctx context.Context, c *adminclient.Client) (names []string, err error) {
	infos, err := c.SettingInfos(ctx)
	for _, s := range infos {
		if slices.Contains(s.For, "account") {
			names = append(names, s.Name)
		}
	}
	return names, err
}

// importedLine is the report about a line.
type importedLine struct {
	Line int `json:"line"`
	adminclient.ImportResult
}

// sendUsers sends users in batches, several at the same time. After an error the lines without an answer have
// the outcome outcomeUntried.
func sendUsers(ctx context.Context, c *adminclient.Client, users []userLine, dryRun bool) ([]importedLine, error) {
	results := make([]importedLine, len(users))
	var batches [][]int
	octets := 0
	for i, u := range users {
		results[i] = importedLine{u.number, adminclient.ImportResult{Address: u.account.Address, Outcome: outcomeUntried}}
		if u.refusal != "" {
			results[i].Outcome, results[i].Reason = adminclient.ImportRefused, u.refusal
			continue
		}
		size := userSize(u.account) + 1
		if n := len(batches); n == 0 || len(batches[n-1]) == importBatch || octets+size > importOctets {
			batches, octets = append(batches, nil), 0
		}
		octets += size
		batches[len(batches)-1] = append(batches[len(batches)-1], i)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importParallel)
	for _, batch := range batches {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			request := adminclient.Import{DryRun: dryRun, Accounts: make([]adminclient.ImportedAccount, len(batch))}
			for j, i := range batch {
				request.Accounts[j] = users[i].account
			}
			report, err := c.Import(ctx, request)
			if err != nil {
				return err
			}
			if len(report.Accounts) != len(batch) {
				return fmt.Errorf("%w: %d results for %d accounts", adminclient.ErrNoAnswer, len(report.Accounts), len(batch))
			}
			for j, i := range batch {
				results[i].ImportResult = report.Accounts[j]
			}
			return nil
		})
	}
	return results, group.Wait()
}

// reportImport prints the report. whole: every line has an answer. The error counts refused or failed lines.
func (f *remoteFlags) reportImport(w io.Writer, results []importedLine, dryRun, quiet, whole bool) error {
	counts := map[string]int{}
	withoutPassword := 0
	for _, r := range results {
		counts[r.Outcome]++
		if r.NoPassword {
			withoutPassword++
		}
	}
	if f.json {
		if err := printJSON(w, results); err != nil {
			return err
		}
	} else if err := printImport(w, results, counts, withoutPassword, dryRun, quiet); err != nil {
		return err
	}
	switch {
	case !whole:
		return nil // the error of the request is the one to be told
	case counts[adminclient.ImportFailed] > 0:
		return withExit(exitTemp, fmt.Errorf("%d lines failed: repeat the command", counts[adminclient.ImportFailed]))
	case counts[adminclient.ImportRefused] > 0:
		return problem(fmt.Sprintf("%d lines were refused", counts[adminclient.ImportRefused]))
	}
	return nil
}

func printImport(w io.Writer, results []importedLine, counts map[string]int, withoutPassword int, dryRun, quiet bool) error {
	for _, r := range results {
		if quiet && r.Reason == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "line %d: %s%s\n", r.Line, addressText(r.Address), outcomeText(r.ImportResult, dryRun)); err != nil {
			return err
		}
	}
	var parts []string
	for _, outcome := range []string{
		adminclient.ImportMade, adminclient.ImportChanged, adminclient.ImportUnchanged, adminclient.ImportRefused, adminclient.ImportFailed, outcomeUntried,
	} {
		if n := counts[outcome]; n > 0 || outcome != adminclient.ImportFailed && outcome != outcomeUntried {
			parts = append(parts, fmt.Sprintf("%s: %d", outcome, n))
		}
	}
	line := strings.Join(parts, ", ")
	if withoutPassword > 0 {
		line += fmt.Sprintf("; without a password: %d", withoutPassword)
	}
	if dryRun {
		line += "; nothing was changed"
	}
	_, err := fmt.Fprintln(w, line)
	return err
}

// addressText returns an address of a file for the terminal.
func addressText(address string) string {
	switch a, err := mail.ParseAddress(address); {
	case address == "":
		return ""
	case err != nil:
		return quoted(address) + ": "
	default:
		return a.Canonical().String() + ": "
	}
}

func outcomeText(r adminclient.ImportResult, dryRun bool) string {
	text := r.Outcome
	if dryRun && (r.Outcome == adminclient.ImportMade || r.Outcome == adminclient.ImportChanged) {
		text = "would be " + text
	}
	switch {
	case r.Reason != "":
		text += ": " + r.Reason
	case r.Outcome == adminclient.ImportChanged:
		text += ": " + strings.Join(r.Changes, ", ")
	case r.NoPassword:
		text += ", without a password"
	}
	return text
}
