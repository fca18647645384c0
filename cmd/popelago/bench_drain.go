package main

import (
	"context"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchDrainCommand returns "popelago bench drain".
func newBenchDrainCommand() *cobra.Command {
	var (
		target  benchTarget
		logins  benchLogins
		output  benchOutput
		journal string
		cfg     bench.DrainConfig
	)
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Fetch all messages by POP3 and remove them",
		Long: `Fetch all messages by POP3 and remove them: STAT, RETR of all, DELE of all, QUIT.

To measure fetching and removing apart, run it first with --no-dele (alias --keep), then with --no-retr.`,
		Example: `  popelago bench drain --addr 127.0.0.1:1110 --password-file passwords --connections 16 --keep
  popelago bench drain --addr 127.0.0.1:1110 --password-file passwords --connections 16 --no-retr`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Logins, err = logins.list(cmd); err != nil {
				return err
			}
			if cfg.Journal, err = openBenchJournal(journal); err != nil {
				return err
			}
			defer cfg.Journal.Close()
			cfg.Target = target.target()
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Drain(ctx, cfg)
			})
		},
	}
	target.add(cmd, "addr", "127.0.0.1:1110", "POP3 server, host:port or unix:/path")
	target.addTLS(cmd)
	logins.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.IntVar(&cfg.Connections, "connections", 1, "sessions at once")
	f.IntVar(&cfg.Window, "window", 100, "RETR or DELE commands sent ahead of their responses")
	f.BoolVar(&cfg.NoRetr, "no-retr", false, "do not fetch (with --journal, messages are identified by TOP n 0)")
	f.BoolVar(&cfg.NoDele, "no-dele", false, "do not remove")
	f.BoolVar(&cfg.NoDele, "keep", false, "the same as --no-dele")
	f.BoolVar(&cfg.Check, "check", false, "compare each message with the sent one, and its size with LIST")
	f.IntVar(&cfg.Passes, "passes", 0, "passes over each maildrop (default one, or without end with --duration)")
	f.DurationVar(&cfg.Duration, "duration", 0, "start no session after this time")
	f.DurationVar(&cfg.Reconnect, "reconnect", 0, "keep trying for this long when a connection is lost or refused (default: give up)")
	f.StringVar(&journal, "journal", "", "append messages seen and removed to this file, for \"bench verify\"")
	return cmd
}
