package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchPollCommand returns "popelago bench poll".
func newBenchPollCommand() *cobra.Command {
	var (
		target benchTarget
		logins benchLogins
		output benchOutput
		cfg    bench.PollConfig
	)
	cmd := &cobra.Command{
		Use:     "poll",
		Short:   "Open POP3 sessions with login, STAT and QUIT",
		Example: `  popelago bench poll --addr 127.0.0.1:1110 --password-file passwords --connections 16 --duration 10s`,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Logins, err = logins.list(cmd); err != nil {
				return err
			}
			cfg.Target = target.target()
			if cfg.Duration == 0 && cfg.Count == 0 {
				cfg.Duration = 10 * time.Second
			}
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Poll(ctx, cfg)
			})
		},
	}
	target.add(cmd, "addr", "127.0.0.1:1110", "POP3 server, host:port or unix:/path")
	target.addTLS(cmd)
	logins.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.Float64Var(&cfg.Rate, "rate", 0, "sessions per second (default as fast as possible)")
	f.DurationVar(&cfg.Duration, "duration", 0, "end after this time (default 10s, if there is no --count)")
	f.Int64Var(&cfg.Count, "count", 0, "end after this many sessions")
	f.IntVar(&cfg.Connections, "connections", 1, "sessions at once")
	f.BoolVar(&cfg.Pipeline, "pipeline", false, "send USER, PASS, STAT and QUIT in one write")
	f.DurationVar(&cfg.Reconnect, "reconnect", 0, "keep trying for this long when a connection is refused (default: give up)")
	return cmd
}
