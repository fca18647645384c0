package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"popelago/adminclient"
	"popelago/mail"
)

func newSessionCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("session", "See and end the sessions of all servers", newSessionListCommand(f), newSessionDisconnectCommand(f))
	f.add(cmd)
	return cmd
}

// addSessionFilter defines the flags that select sessions.
func addSessionFilter(flags *pflag.FlagSet, f *adminclient.SessionFilter) {
	flags.StringVar(&f.User, "user", "", "only sessions of this `ADDRESS`, or with @example.org of this domain")
	flags.StringVar(&f.Client, "client", "", "only sessions from this IP `ADDRESS` or network")
	flags.StringVar(&f.Protocol, "protocol", "", "only this `PROTOCOL`: pop3 (with pop3s), pop3s, smtp or lmtp")
	flags.StringVar(&f.OlderThan, "older-than", "", "only sessions that are older than this `TIME`, such as 10m")
	addSelection(flags, &f.Server, &f.Datacenter)
}

// addSelection defines the flags that select servers.
func addSelection(flags *pflag.FlagSet, server, datacenter *string) {
	flags.StringVar(server, "on", "", "only the server with this `NAME` or host name, see \"server list\"")
	flags.StringVar(datacenter, "datacenter", "", "only the servers of this `DATACENTER`")
}

func newSessionListCommand(f *remoteFlags) *cobra.Command {
	var filter adminclient.SessionFilter
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the open sessions of all servers, the oldest first",
		Long: `List the open sessions of POP3, SMTP and LMTP of all servers and datacenters, the oldest
first. Counts are those of ended commands. The exit code is 1 if a server did not answer: then
sessions may be missing, and standard error names the server and the reason.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Sessions(cmd.Context(), filter, limit)
				if err != nil {
					return err
				}
				return f.showSessions(cmd, list)
			})
		},
	}
	addSessionFilter(cmd.Flags(), &filter)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` sessions, up to 10000 (default 1000)")
	return cmd
}

// showSessions prints a list of sessions, and names the servers that did not answer.
func (f *remoteFlags) showSessions(cmd *cobra.Command, list adminclient.SessionList) error {
	return f.showParts(cmd, list, list.Parts, func(w io.Writer) error { return printSessions(w, list) })
}

func printSessions(w io.Writer, list adminclient.SessionList) error {
	rows := make([][]string, len(list.Sessions))
	for i, s := range list.Sessions {
		tls, doing := "-", s.State
		if s.TLS {
			tls = "TLS"
		}
		if s.Command != "" {
			doing += " " + s.Command
		}
		if s.Ending {
			doing += ", ending"
		}
		rows[i] = []string{
			s.ID, s.Protocol, tls, mail.Printable(orDash(s.User)), s.Client, when(s.Since), doing, strconv.FormatInt(s.Commands, 10),
			strconv.FormatInt(s.Messages, 10), strconv.FormatInt(s.Octets, 10), orDash(s.Datacenter), s.Server,
		}
	}
	heading := []string{"SESSION", "PROTOCOL", "TLS", "USER", "CLIENT", "SINCE", "STATE", "COMMANDS", "MESSAGES", "OCTETS", "DATACENTER", "SERVER"}
	if err := printTable(w, heading, rows); err != nil || list.More == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "and %d more: see --limit\n", list.More)
	return err
}

func orDash(s string) string { return cmp.Or(s, "-") }

// showParts prints an answer of several servers as JSON, or by print, and then names the servers that did not answer.
func (f *remoteFlags) showParts(cmd *cobra.Command, answer any, parts adminclient.Parts, print func(io.Writer) error) error {
	out := cmd.OutOrStdout()
	var err error
	if f.json {
		err = printJSON(out, answer)
	} else {
		err = print(out)
	}
	if err != nil {
		return err
	}
	return reportParts(cmd.ErrOrStderr(), parts)
}

// reportParts names the servers that did not answer.
func reportParts(w io.Writer, p adminclient.Parts) error {
	if p.Complete {
		return nil
	}
	for _, s := range p.Servers {
		if !s.Answered {
			reportMissing(w, s.Server, s.Datacenter, s.Problem, s.LastHeartbeat)
		}
	}
	return incomplete(p.Warning)
}

// reportMissing names a server that did not answer. The output may be gone: the exit code says enough.
func reportMissing(w io.Writer, server, datacenter, problem string, lastHeartbeat *time.Time) {
	text := mail.Printable(server)
	if datacenter != "" {
		text += " in " + mail.Printable(datacenter)
	}
	text += ": " + mail.Printable(problem)
	if lastHeartbeat != nil {
		text += "; its last heartbeat was read at " + when(*lastHeartbeat)
	}
	_, _ = fmt.Fprintln(w, text)
}

// incomplete is the error of a command whose answer lacks the part of a server.
func incomplete(warning string) error {
	if warning != "" {
		return problem(warning)
	}
	return problem("the answer is incomplete: not every server has answered")
}

// showEnded prints the number of sessions that were ended, and names the servers that did not answer.
func (f *remoteFlags) showEnded(cmd *cobra.Command, ended adminclient.SessionsEnded) error {
	return f.showParts(cmd, ended, ended.Parts, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "sessions ended: %d\n", ended.Ended)
		return err
	})
}

func newSessionDisconnectCommand(f *remoteFlags) *cobra.Command {
	var end adminclient.SessionEnd
	cmd := &cobra.Command{
		Use:   "disconnect [SESSION]",
		Short: "End sessions, on whatever server they are",
		Long: `End one session, or all sessions that the flags select, on whatever server they are.

A POP3 session ends with [SYS/TEMP] before its next command, or in the middle of a message.
Nothing is removed that the client did not QUIT for, and a QUIT in progress comes to its end.
An SMTP or LMTP session ends with 421 before its next command: a message in progress is received
to its end and gets its reply before. Clients may connect again: see "account set pop3=off".

The exit code is 1 if a server did not answer. The command may be repeated.`,
		Example: "  popelago session disconnect --user alice@example.org\n  popelago session disconnect 0f3a9b12c4d5",
		Args:    arguments("[SESSION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				end.ID = args[0]
			}
			if end.ID == "" && end.User == "" && end.Client == "" && !end.All {
				return &usageError{"name a SESSION, --user or --client; --all ends all sessions that the other flags select"}
			}
			return f.call(func(c *adminclient.Client) error {
				ended, err := c.EndSessions(cmd.Context(), end)
				if err != nil {
					return err
				}
				return f.showEnded(cmd, ended)
			})
		},
	}
	addSessionFilter(cmd.Flags(), &end.SessionFilter)
	cmd.Flags().BoolVar(&end.All, "all", false, "end all sessions that the other flags select")
	return cmd
}
