package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newServerCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("server", "See the servers, and take one out of service",
		newServerStatusCommand(f), newServerListCommand(f), newServerDrainCommand(f), newServerUndrainCommand(f))
	f.add(cmd)
	return cmd
}

func newServerStatusCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show whether the server is in service, and the number of its sessions",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				s, err := c.Service(cmd.Context())
				if err != nil {
					return err
				}
				return f.printService(cmd.OutOrStdout(), s)
			})
		},
	}
}

func (f *remoteFlags) printService(w io.Writer, s adminclient.Service) error {
	if f.json {
		return printJSON(w, s)
	}
	rows := [][]string{{"sessions", strconv.Itoa(s.Sessions)}, {"hostname", s.Hostname}, {"version", s.Version}}
	if s.Since != nil {
		rows = append(rows, []string{"since", when(*s.Since)})
	}
	return printTable(w, []string{"state", s.State}, rows)
}

func newServerListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the servers of all datacenters with their state and their load",
		Long: `List the servers of all datacenters whose heartbeats are known, with the state and the load that
each reports. AHEAD is the difference of its clock to the clock of the server that answers. The
exit code is 1 if a server did not answer: standard error gives the reason.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Servers(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), list)
				} else {
					err = printServers(cmd.OutOrStdout(), list.Servers)
				}
				if err != nil || list.Complete {
					return err
				}
				for _, s := range list.Servers {
					if !s.Answered {
						reportMissing(cmd.ErrOrStderr(), s.Name, s.Datacenter, s.Problem, s.LastHeartbeat)
					}
				}
				return incomplete(list.Warning)
			})
		},
	}
}

func printServers(w io.Writer, servers []adminclient.Server) error {
	rows := make([][]string, len(servers))
	for i, s := range servers {
		clock := "not trusted"
		if s.Clock != nil {
			clock = when(*s.Clock)
		}
		rows[i] = append([]string{
			mail.Printable(s.Name), orDash(s.Datacenter), orDash(mail.Printable(s.Hostname)), orDash(s.Version), whenOrNever(s.Started), clock, yesNo(s.Own),
		}, loadColumns(s)...)
	}
	heading := []string{"SERVER", "DATACENTER", "HOSTNAME", "VERSION", "STARTED", "CLOCK", "OWN", "STATE", "AHEAD", "POP3", "SMTP", "LMTP", "RECEIVING", "SENDING", "HEAP", "CONFIG"}
	return printTable(w, heading, rows)
}

// loadColumns returns the columns that come from the server itself, as heading of printServers names them.
func loadColumns(s adminclient.Server) []string {
	if !s.Answered {
		return []string{"no answer", "-", "-", "-", "-", "-", "-", "-", "-"}
	}
	ahead := "-"
	if s.Ahead != nil {
		ahead = strconv.FormatFloat(*s.Ahead, 'f', 3, 64) + "s"
	}
	columns := []string{s.State, ahead}
	if s.Load == nil {
		columns = append(columns, "-", "-", "-", "-", "-", "-")
	} else {
		of := s.Load.Sessions
		columns = append(columns, strconv.Itoa(of["pop3"]+of["pop3s"]), strconv.Itoa(of["smtp"]), strconv.Itoa(of["lmtp"]),
			strconv.Itoa(s.Load.Deliveries), strconv.Itoa(s.Load.Retrievals), strconv.FormatInt(s.Load.HeapOctets>>20, 10)+"MiB")
	}
	return append(columns, strconv.Itoa(s.ConfigVersion))
}

func newServerDrainCommand(f *remoteFlags) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Take the server out of service, without ending it",
		Long: `Take the server out of service, without ending it: /readyz fails at once, so that a load
balancer takes the server off its list. After drain_delay the server refuses new connections
of POP3, SMTP and LMTP. Sessions end by themselves, or after drain_timeout. "undrain", or a
restart, puts the server back into service.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				s, err := c.Drain(cmd.Context(), true)
				if err == nil && wait {
					s, err = waitDrained(cmd.Context(), c, s)
				}
				if err != nil {
					return err
				}
				return f.printService(cmd.OutOrStdout(), s)
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until no session is left")
	return cmd
}

// drainEvery is the pause between two questions about the sessions that are left.
const drainEvery = 500 * time.Millisecond

// waitDrained waits until no session is left.
func waitDrained(ctx context.Context, c *adminclient.Client, s adminclient.Service) (adminclient.Service, error) {
	for s.State == adminclient.Draining {
		select {
		case <-time.After(drainEvery):
		case <-ctx.Done():
			return s, ctx.Err()
		}
		var err error
		if s, err = c.Service(ctx); err != nil {
			return s, err
		}
	}
	if s.State != adminclient.Drained {
		return s, withExit(exitConflict, fmt.Errorf("the server is %s: somebody has put it back into service", s.State))
	}
	return s, nil
}

func newServerUndrainCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "undrain",
		Short: "Put the server back into service",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				s, err := c.Drain(cmd.Context(), false)
				if err != nil {
					return err
				}
				return f.printService(cmd.OutOrStdout(), s)
			})
		},
	}
}
