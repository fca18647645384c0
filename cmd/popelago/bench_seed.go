package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchSeedCommand returns "popelago bench seed".
func newBenchSeedCommand() *cobra.Command {
	var (
		mail, pop benchTarget
		logins    benchLogins
		messages  benchMessages
		output    benchOutput
		protocol  string
		journal   string
		cfg       bench.SeedConfig
	)
	cmd := &cobra.Command{
		Use:   "seed",
		Short: "Run the published scenario: deliver to 80 users, STAT, then DELE and QUIT",
		Long: `Run the scenario with which the idea of this mail store was published: 100 messages a
second for 10 minutes to 80 users, then STAT for every user, then DELE of all and QUIT.`,
		Example: `  popelago bench seed --mail 127.0.0.1:1024 --pop3 127.0.0.1:1110 --password-file passwords --scale 0.01`,
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Logins, err = logins.list(cmd); err != nil {
				return err
			}
			if cfg.Journal, err = openBenchJournal(journal); err != nil {
				return err
			}
			defer cfg.Journal.Close()
			cfg.POP3, cfg.Mail = pop.target(), pop.target()
			cfg.Mail.Addr = mail.addr
			cfg.Protocol, cfg.Messages = bench.Protocol(protocol), messages.Messages
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Seed(ctx, cfg)
			})
		},
	}
	mail.add(cmd, "mail", "127.0.0.1:1024", "server that takes the messages, host:port or unix:/path")
	pop.add(cmd, "pop3", "127.0.0.1:1110", "POP3 server, host:port or unix:/path")
	pop.addTLS(cmd)
	logins.add(cmd)
	messages.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.StringVar(&protocol, "protocol", "lmtp", "how to deliver: lmtp or smtp")
	f.Float64Var(&cfg.Rate, "rate", 100, "messages per second")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Minute, "how long to deliver")
	f.Float64Var(&cfg.Scale, "scale", 1, "shortens the duration: 0.01 makes 6 s out of 10 minutes")
	f.IntVar(&cfg.Connections, "connections", 16, "connections used at once")
	f.IntVar(&cfg.Window, "window", 100, "DELE commands sent ahead of their responses")
	f.StringVar(&journal, "journal", "", "append what was sent, answered and removed to this file, for \"bench verify\"")
	return cmd
}
