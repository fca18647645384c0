package main

import (
	"context"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchVerifyCommand returns "popelago bench verify".
func newBenchVerifyCommand() *cobra.Command {
	var (
		target benchTarget
		logins benchLogins
		output benchOutput
		cfg    bench.VerifyConfig
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check by POP3 that the server kept every acknowledged message, and no other",
		Long: `Check by POP3 what "bench deliver" and "bench drain" noted in a journal: every
acknowledged message is there exactly once and octet for octet, nothing that was removed
is back, the sizes in LIST are what RETR sends, and unique-ids are what they were. Nothing
is removed. No delivery and no drain may go on meanwhile.

Messages whose outcome nobody knows, because the connection was lost before the reply or
the reply was 4xx, may be there or not; they are counted apart.`,
		Example: `  popelago bench verify --addr 127.0.0.1:1110 --password-file passwords --journal bench.journal`,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Logins, err = logins.list(cmd); err != nil {
				return err
			}
			cfg.Target = target.target()
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Verify(ctx, cfg)
			})
		},
	}
	target.add(cmd, "addr", "127.0.0.1:1110", "POP3 server, host:port or unix:/path")
	target.addTLS(cmd)
	logins.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.StringVar(&cfg.Journal, "journal", "", "file written by \"bench deliver\" and \"bench drain\" (default: check only content, sizes and form)")
	f.BoolVar(&cfg.Record, "record", false, "append the unique-ids seen to the journal, so that the next run notices a change")
	f.IntVar(&cfg.Connections, "connections", 4, "sessions at once")
	f.IntVar(&cfg.Window, "window", 100, "RETR commands sent ahead of their responses")
	f.DurationVar(&cfg.Reconnect, "reconnect", 0, "keep trying a maildrop for this long, whatever goes wrong (default: give up)")
	return cmd
}
