package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newClockCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("clock", "See whether a running server trusts its clock, or say that it is right",
		newClockShowCommand(f), newClockTrustCommand(f))
	f.add(cmd)
	return cmd
}

func newClockShowCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show whether the server trusts its clock, and the reason if not",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				clock, err := c.Clock(cmd.Context())
				if err != nil {
					return err
				}
				return f.printClock(cmd.OutOrStdout(), clock)
			})
		},
	}
}

func newClockTrustCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "trust",
		Short: "Declare the clock of the server right",
		Long: `Declare the clock of the server's machine right, after you have checked the time with
"date -u". The server forgets that it has seen a later time, or was off for longer than
store.max_stop, and accepts mail again.

If the clock is wrong, mail accepted from now on may expire too early, or never. The
clocks of a cluster are not overruled: if the server differs from the cluster, let NTP
set the clocks.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				clock, err := c.TrustClock(cmd.Context())
				if err != nil {
					return err
				}
				if err := f.printClock(cmd.OutOrStdout(), clock); err != nil {
					return err
				}
				if !clock.Trusted {
					return problem("the clock is not trusted for all that")
				}
				return nil
			})
		},
	}
}

func (f *remoteFlags) printClock(w io.Writer, clock adminclient.Clock) error {
	if f.json {
		return printJSON(w, clock)
	}
	rows := [][]string{{"time", clock.Now.Format(time.DateTime + " UTC")}}
	if clock.High != nil {
		rows = append(rows, []string{"latest time seen", clock.High.UTC().Format(time.DateTime + " UTC")})
	}
	rows = append(rows, []string{"ahead by", time.Duration(clock.Ahead * float64(time.Second)).Round(time.Second).String()})
	if !clock.Trusted {
		rows = append(rows, []string{"cause", clock.Cause})
	}
	return printTable(w, []string{"trusted", yesNo(clock.Trusted)}, rows)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
