package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// benchMessages holds the flags of bench.Messages.
type benchMessages struct {
	bench.Messages
}

// add defines the flags.
func (m *benchMessages) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&m.Size, "size", 0, "size of a message in octets (default 8192; with --realistic between 3 and 600 KB)")
	f.Float64Var(&m.Awkward, "awkward", 0, "share (0 to 1) of messages with dot lines, 8-bit octets, long lines and similar")
	f.BoolVar(&m.Realistic, "realistic", false, "send letters, newsletters, notices and attachments, which compress as mail does, in place of random letters and digits")
	f.Uint64Var(&m.Seed, "seed", 0, "generate the same messages as another run with this seed (default random)")
}

// newBenchDeliverCommand returns "popelago bench deliver".
func newBenchDeliverCommand() *cobra.Command {
	var (
		target   benchTarget
		users    benchUsers
		messages benchMessages
		output   benchOutput
		protocol string
		journal  string
		cfg      bench.DeliverConfig
	)
	cmd := &cobra.Command{
		Use:   "deliver",
		Short: "Deliver messages by LMTP or SMTP",
		Example: `  popelago bench deliver --addr 127.0.0.1:1024 --connections 16 --duration 10s
  popelago bench deliver --addr 127.0.0.1:1025 --protocol smtp --rate 100 --count 5000
  popelago bench deliver --addr unix:/run/dovecot/lmtp --user alice@example.test --count 10`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			names, err := users.list()
			if err != nil {
				return err
			}
			if cfg.Journal, err = openBenchJournal(journal); err != nil {
				return err
			}
			defer cfg.Journal.Close()
			cfg.Target, cfg.Users, cfg.Messages, cfg.Protocol = target.target(), names, messages.Messages, bench.Protocol(protocol)
			if cfg.Duration == 0 && cfg.Count == 0 {
				cfg.Duration = 10 * time.Second
			}
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Deliver(ctx, cfg)
			})
		},
	}
	target.add(cmd, "addr", "127.0.0.1:1024", "server, host:port or unix:/path")
	target.addTLS(cmd)
	users.add(cmd)
	messages.add(cmd)
	output.add(cmd)
	f := cmd.Flags()
	f.StringVar(&protocol, "protocol", "lmtp", "lmtp or smtp")
	f.Float64Var(&cfg.Rate, "rate", 0, "messages per second (default as fast as possible)")
	f.DurationVar(&cfg.Duration, "duration", 0, "end after this time (default 10s, if there is no --count)")
	f.Int64Var(&cfg.Count, "count", 0, "end after this many messages")
	f.IntVar(&cfg.Connections, "connections", 1, "connections used at once")
	f.IntVar(&cfg.PerConnection, "per-connection", 0, "messages after which a connection is replaced (default never)")
	f.IntVar(&cfg.Recipients, "recipients", 1, "recipients per message")
	f.StringVar(&cfg.From, "from", "bench@example.test", "reverse-path")
	f.BoolVar(&cfg.Chunking, "chunking", false, "send the content with BDAT instead of DATA")
	f.Int64Var(&cfg.First, "first", 0, "number of the first message")
	f.DurationVar(&cfg.Reconnect, "reconnect", 0, "keep trying for this long when a connection is lost or refused (default: give up)")
	f.BoolVar(&cfg.Resend, "resend", false, "repeat messages that were deferred or have an unknown outcome, until they are taken")
	f.StringVar(&journal, "journal", "", "append messages and replies to this file, for \"bench verify\"")
	return cmd
}
