package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchCommand returns "popelago bench", the load generator.
func newBenchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on any LMTP, SMTP or POP3 server, measure it and check its results",
		Long: `Put load on any LMTP, SMTP or POP3 server, measure it and check its results.

Results go to standard output, as a table or with --json; progress goes to standard
error. The exit code is 0 only after a run without a refused message, an error response or
a violation; 1 after a run with any; 69 if the server cannot be reached or ends a
connection; 64 for a wrong flag. Ctrl-C ends a run and prints the results so far.

Users are user1@example.test to user80@example.test unless --users, --pattern, --user or
--users-file select others; the same name is the recipient's address and the POP3 login.
The accounts must exist. For a Popelago on this machine:

  for i in $(seq 80); do
    echo "$POPELAGO_BENCH_PASSWORD" | popelago account add user$i@example.test --password-stdin
  done

Passwords are read from --password-file, from --password-stdin or from the environment
variable POPELAGO_BENCH_PASSWORD, never from the command line.`,
	}
	cmd.AddCommand(
		newBenchDeliverCommand(),
		newBenchPollCommand(),
		newBenchDrainCommand(),
		newBenchIdleCommand(),
		newBenchSeedCommand(),
		newBenchVerifyCommand(),
		newBenchKeysCommand(),
	)
	return cmd
}

// benchTarget holds the flags of a bench.Target.
type benchTarget struct {
	addr     string
	tls      string
	insecure bool
	timeout  time.Duration
}

// add defines the flags, with the address in a flag called name.
func (t *benchTarget) add(cmd *cobra.Command, name, value, usage string) {
	cmd.Flags().StringVar(&t.addr, name, value, usage)
}

// addTLS defines the flags shared by several addresses.
func (t *benchTarget) addTLS(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.tls, "tls", "none", "encryption: none, starttls or tls")
	f.BoolVar(&t.insecure, "insecure", false, "accept any certificate")
	f.DurationVar(&t.timeout, "timeout", time.Minute, "how long one step may take before the connection counts as lost")
}

// target returns the bench.Target of the flags.
func (t *benchTarget) target() bench.Target {
	return bench.Target{Addr: t.addr, TLS: bench.TLSMode(t.tls), Insecure: t.insecure, Timeout: t.timeout}
}

// benchOutput holds the flags for the report.
type benchOutput struct {
	json bool
}

// add defines the flags.
func (o *benchOutput) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print the report as JSON")
}

// run carries out work with a progress bar and prints the report. Errors and violations in the
// report become an error.
func (o *benchOutput) run(cmd *cobra.Command, work func(context.Context, *bench.Progress) (bench.Report, error)) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var progress bench.Progress
	hide := showProgress(cmd.ErrOrStderr(), &progress)
	report, err := work(ctx, &progress)
	hide()
	if report.Name != "" {
		if perr := o.print(cmd.OutOrStdout(), &report); err == nil {
			err = perr
		}
	}
	if err != nil {
		return benchFailed(&report, err)
	}
	return benchResult(&report)
}

// benchFailed gives an error of a run its exit code. A run without a name did not begin: a flag or a
// file cannot be used.
func benchFailed(report *bench.Report, err error) error {
	var file *fs.PathError
	switch {
	case errors.As(err, &file):
		return err
	case report.Name == "":
		return withExit(exitUsage, err)
	}
	return withExit(exitUnavailable, err)
}

// print writes the report as a table or as JSON.
func (o *benchOutput) print(w io.Writer, report *bench.Report) error {
	if o.json {
		return report.WriteJSON(w)
	}
	return report.WriteTable(w)
}

// benchResult returns an error if the report has errors or violations.
func benchResult(report *bench.Report) error {
	var wrong []string
	if n := report.Failures(); n > 0 {
		wrong = append(wrong, fmt.Sprintf("violations: %d", n))
	}
	if n := report.ErrorCount(); n > 0 {
		wrong = append(wrong, fmt.Sprintf("errors: %d", n))
	}
	if len(wrong) == 0 {
		return nil
	}
	return problem("bench: " + strings.Join(wrong, ", "))
}

// openBenchJournal opens the journal at path; "" gives nil. The caller closes the journal.
func openBenchJournal(path string) (*bench.Journal, error) {
	if path == "" {
		return nil, nil
	}
	return bench.OpenJournal(path)
}
