package main

import (
	"io"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newLogCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("log", "See and change the log of a running server", newLogLevelCommand(f))
	f.add(cmd)
	return cmd
}

// levelDefault is the argument that stands for the configured level.
const levelDefault = "default"

func newLogLevelCommand(f *remoteFlags) *cobra.Command {
	var lasts string
	cmd := &cobra.Command{
		Use:   "level [LEVEL]",
		Short: "Show or change the level of the log",
		Long: `Show the level of the log, or change it: debug, info, warn, error, or default for the
configured level. With --for the configured level counts again after a time.`,
		Example: "  popelago log level debug --for 10m",
		Args:    arguments("[LEVEL]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lasts != "" && (len(args) == 0 || args[0] == levelDefault) {
				return &usageError{"--for goes with a LEVEL"}
			}
			return f.call(func(c *adminclient.Client) error {
				l, err := changeLevel(cmd, c, args, lasts)
				if err != nil {
					return err
				}
				return f.printLevel(cmd.OutOrStdout(), l)
			})
		},
	}
	cmd.Flags().StringVar(&lasts, "for", "", "`TIME` until the configured level counts again, such as 10m")
	return cmd
}

// changeLevel does what the arguments of "log level" say.
func changeLevel(cmd *cobra.Command, c *adminclient.Client, args []string, lasts string) (adminclient.LogLevel, error) {
	switch {
	case len(args) == 0:
		return c.LogLevel(cmd.Context())
	case args[0] == levelDefault:
		return c.ResetLogLevel(cmd.Context())
	}
	return c.SetLogLevel(cmd.Context(), adminclient.NewLogLevel{Level: args[0], For: lasts})
}

func (f *remoteFlags) printLevel(w io.Writer, l adminclient.LogLevel) error {
	text := "level %s"
	args := []any{l.Level}
	if l.Level != l.Configured {
		text, args = text+", configured %s", append(args, l.Configured)
	}
	if l.Until != nil {
		text, args = text+" again from %s", append(args, when(*l.Until))
	}
	return f.result(w, l, text, args...)
}
