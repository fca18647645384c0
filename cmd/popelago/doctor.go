package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"popelago/app"
)

// doctorLimit is how long "popelago doctor" may take: as long as nodes that do not answer make
// it wait.
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
		Short: "Look at what the server stands on, and tell what is wrong",
		Long: `Look at the data folder and the certificate and, with store.engine = "cassandra", at the
cluster: which nodes can be reached, their versions, clocks and settings, the schema, where the
replicas are, and whether a row can be written and read. The server may be running or not.

The exit code is 1 if something does not work, and 0 if there is nothing but warnings.`,
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
	found, err := app.Doctor(ctx, cfg)
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), found)
	} else {
		err = printFindings(cmd.OutOrStdout(), found)
	}
	if errors := countFindings(found, app.FindingError); err == nil && errors > 0 {
		err = fmt.Errorf("%d of %d checks failed", errors, len(found))
	}
	return err
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

// printFindings prints a line for each, with what to do below it, and a last one about all.
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
