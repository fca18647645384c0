package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchIdleCommand returns "popelago bench idle".
func newBenchIdleCommand() *cobra.Command {
	var (
		target  benchTarget
		logins  benchLogins
		output  benchOutput
		noLogin bool
		cfg     bench.IdleConfig
	)
	cmd := &cobra.Command{
		Use:   "idle",
		Short: "Keep many POP3 sessions open, to measure a server's memory",
		Long: `Keep many POP3 sessions open, then count the sessions that still answer.

When all are open, standard error has a line: "holding N sessions".`,
		Example: `  popelago bench idle --addr 127.0.0.1:1110 --password-file passwords --sessions 5000 --hold 30s`,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if !noLogin {
				if cfg.Logins, err = logins.list(cmd); err != nil {
					return err
				}
			}
			cfg.Target = target.target()
			cfg.Held = func(open int) { fmt.Fprintf(cmd.ErrOrStderr(), "holding %d sessions\n", open) }
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Idle(ctx, cfg)
			})
		},
	}
	target.add(cmd, "addr", "127.0.0.1:1110", "POP3 server, host:port or unix:/path")
	target.addTLS(cmd)
	logins.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.IntVar(&cfg.Sessions, "sessions", 1000, "sessions to keep open")
	f.DurationVar(&cfg.Hold, "hold", 10*time.Second, "time to keep them open")
	f.BoolVar(&noLogin, "no-login", false, "stay in the state before the login")
	return cmd
}
