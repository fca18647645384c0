package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/app"
	"popelago/config"
)

// doctorLimit bounds "popelago doctor", which waits for nodes that do not answer.
const doctorLimit = 5 * time.Minute

// doctorFlags are the flags of "popelago doctor".
type doctorFlags struct {
	settingsFlags
	json bool
}

func newDoctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor --config FILE",
		Short: "Examine storage, certificate and clock, and report faults",
		Long: `Examine the addresses, the data folder and its files, the files with secrets, the
certificate, and the clock and the storage of a running server. With
store.engine = "cassandra", also examine the cluster: the reachable nodes, their versions,
clocks and settings, the schema, the replicas, and a write and a read. The server may be
running or not. The messages themselves are read by "popelago check --deep".

The exit code is 1 if there are errors, and 0 if there are only warnings. Any other
code means that there is no result: see "popelago help exit-codes".`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON, for programs")
	return cmd
}

func (f *doctorFlags) run(cmd *cobra.Command) error {
	if f.file == "" && f.data == "" {
		return &usageError{"--config FILE is missing"}
	}
	cfg, err := f.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), doctorLimit)
	defer cancel()
	server := examineServer(ctx, cfg)
	found, err := app.Doctor(ctx, cfg, len(server) > 0)
	if err != nil {
		return err
	}
	found = append(found, server...)
	if f.json {
		err = printJSON(cmd.OutOrStdout(), found)
	} else {
		err = printFindings(cmd.OutOrStdout(), found)
	}
	if failed := countFindings(found, app.FindingError); err == nil && failed > 0 {
		err = problem(fmt.Sprintf("%d of %d checks failed", failed, len(found)))
	}
	return err
}

// askServer limits how long a running server is asked.
const askServer = 10 * time.Second

// examineServer asks the running server of a configuration whether it trusts its clock, and can read its store. Without
// a running server there are no findings.
func examineServer(ctx context.Context, cfg config.Config) []app.Finding {
	ctx, cancel := context.WithTimeout(ctx, askServer)
	defer cancel()
	c := adminclient.Unix(cfg.AdminSocket())
	defer c.Close()
	clock, err := c.Clock(ctx)
	f := app.Finding{Level: app.FindingOK, Check: "server", Text: "the running server trusts its clock"}
	switch {
	case errors.Is(err, adminclient.ErrNoServer):
		return nil
	case err != nil:
		f.Level, f.Text = app.FindingWarning, "the running server does not answer: "+err.Error()
	case !clock.Trusted:
		f.Level, f.Text = app.FindingError, "the running server does not trust its clock, and takes no mail: "+clock.Cause
		f.Hint = `set the clock of this machine, or if it is right: popelago clock trust`
	}
	found := []app.Finding{f}
	if _, health := c.Health(ctx); err == nil && health != nil {
		found = append(found, app.Finding{
			Level: app.FindingError, Check: "server", Text: "the running server cannot read its store: " + health.Error(), Hint: "its log has the cause",
		})
	}
	return found
}

func countFindings(found []app.Finding, level string) int {
	n := 0
	for _, f := range found {
		if f.Level == level {
			n++
		}
	}
	return n
}

// printFindings prints a line for each finding, the remedy below it, and a summary at the end.
func printFindings(w io.Writer, found []app.Finding) error {
	for _, f := range found {
		if _, err := fmt.Fprintf(w, "%-8s %-12s %s\n", f.Level, f.Check, f.Text); err != nil {
			return err
		}
		if f.Hint != "" {
			if _, err := fmt.Fprintf(w, "%-8s %-12s -> %s\n", "", "", f.Hint); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d checks, %d warnings, %d errors\n",
		len(found), countFindings(found, app.FindingWarning), countFindings(found, app.FindingError))
	return err
}
