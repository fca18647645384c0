package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// eventFlags bound a list of events.
type eventFlags struct {
	since, until momentFlag
	limit        int
}

// momentFlag is an age or a time, see sinceFlag.
type momentFlag = sinceFlag

func (f *eventFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.since.text, "since", "", "only events since `WHEN`: an age such as 2h or 3d, or a time such as 2026-11-26T10:00:00Z")
	cmd.Flags().StringVar(&f.until.text, "until", "", "only events before `WHEN`")
	cmd.Flags().IntVar(&f.limit, "limit", 200, "list at most this `NUMBER` of events")
}

func (f *eventFlags) query() (q adminclient.EventQuery, err error) {
	if q.Since, err = f.since.moment(); err == nil {
		q.Until, err = f.until.moment()
	}
	if err == nil && f.limit < 1 {
		err = &usageError{"--limit must be at least 1"}
	}
	q.Limit = min(f.limit, 1000)
	return q, err
}

func newTraceCommand() *cobra.Command {
	var f remoteFlags
	var events eventFlags
	as := ""
	cmd := &cobra.Command{
		Use:   "trace MESSAGE-ID|UIDL|ID|ADDRESS",
		Short: "Show where a message went: accepted, listed, retrieved, removed",
		Long: `Show the events of a message in all datacenters, the newest first: when which server accepted
it, from where, and how durably; the logins that listed it until it was first retrieved; who
retrieved and removed it, or when it expired. For an address, show the events of its mail and
its logins; for an alias or a group, name the accounts whose traces have the events.

A message has several names: the header field Message-ID, the unique-id (UIDL), and the id
in the reply to the sender and in the log. Events of the last seconds at other servers may be missing. The
server must keep records (trace.enabled).

Exit codes: 0 events were found; 1 none was found, a record is damaged, or a datacenter could not
be asked; 64 wrong usage; 65 the name has no known form.`,
		Example: `  popelago trace '<20261126.1234@example.org>'
  popelago trace alice@example.org --since 2h`,
		Args: arguments("MESSAGE-ID|UIDL|ID|ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := events.query()
			if err != nil {
				return err
			}
			q.Subject, q.As = args[0], as
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Trace(cmd.Context(), q)
				if err != nil {
					return err
				}
				return printEvents(cmd, &f, list, "trace")
			})
		},
	}
	f.add(cmd)
	events.add(cmd)
	cmd.Flags().StringVar(&as, "as", "", "the `KIND` of the name: id, uidl, message-id or address, if its form is not enough")
	return cmd
}

func newAuditCommand() *cobra.Command {
	var f remoteFlags
	var events eventFlags
	failed := false
	cmd := &cobra.Command{
		Use:   "audit [ADDRESS|DOMAIN]",
		Short: "Show who logged in, retrieved and removed mail, and what administrators did",
		Long: `Show the logins, retrievals and removals of an account, and the actions of administrators, in all
datacenters, the newest first: of the account, in the domain, or all of them. A look of an
administrator into a maildrop is always among them. With --failed-logins, show the logins that
failed, and the requests whose token was refused; repetitions are counted, and shown after
15 minutes at most. Events of the last seconds may be missing. The server must keep records (audit.enabled).

Exit codes: 0 events were found; 1 none was found, a record is damaged, or a datacenter could not
be asked; 64 wrong usage.`,
		Example: `  popelago audit alice@example.org --since 2d
  popelago audit --failed-logins --since 1d
  popelago audit --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{"there is more than one ADDRESS or DOMAIN"}
			}
			return checkTexts(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := events.query()
			if err != nil {
				return err
			}
			q.FailedLogins = failed
			if len(args) > 0 {
				q.Subject = args[0]
			}
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Audit(cmd.Context(), q)
				if err != nil {
					return err
				}
				return printEvents(cmd, &f, list, "audit")
			})
		},
	}
	f.add(cmd)
	events.add(cmd)
	cmd.Flags().BoolVar(&failed, "failed-logins", false, "only failed logins: of an account, of a domain, or all of them")
	return cmd
}

// printEvents prints a list, and returns a problem if it has no event or may lack some.
func printEvents(cmd *cobra.Command, f *remoteFlags, list adminclient.EventList, section string) error {
	var err error
	if f.json {
		err = printJSON(cmd.OutOrStdout(), list)
	} else {
		err = printEventTable(cmd, list)
	}
	if err != nil {
		return err
	}
	if n := len(list.LeadsTo); n > 0 {
		shown, more := list.LeadsTo[:min(n, 10)], ""
		if n > len(shown) {
			more = fmt.Sprintf(" and %d more", n-len(shown))
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "mail for this address goes to %s%s: their traces have its events\n", strings.Join(shown, ", "), more)
	}
	none := "this server keeps no records (" + section + ".enabled)"
	if list.Enabled {
		kept, _ := time.ParseDuration(list.Kept)
		none = fmt.Sprintf("records are kept for %d days (%s.keep)", int(kept.Hours()/24), section)
	}
	var last time.Time
	if n := len(list.Events); n > 0 && list.Next != "" {
		last = list.Events[n-1].Time
	}
	return endEvents(cmd, len(list.Events), last, eventGaps{list.Partial, list.Damaged}, none)
}

// eventGaps says which events an answer may lack.
type eventGaps struct {
	partial bool // a datacenter could not be asked
	damaged int  // records
}

// endEvents says whether there are more than n events, which end with the time last (zero: there are no more), and
// returns a problem if some may be missing, or if there is none, for a reason.
func endEvents(cmd *cobra.Command, n int, last time.Time, gaps eventGaps, none string) error {
	if !last.IsZero() {
		until := last.Add(time.Microsecond).UTC() // another event may have the same time
		fmt.Fprintf(cmd.ErrOrStderr(), "there are more than these %d: a greater --limit, or --until %s, shows more\n", n, until.Format(time.RFC3339Nano))
	}
	var missing []string
	if gaps.partial {
		missing = append(missing, "a datacenter could not be asked: its newest events may be missing")
	}
	if gaps.damaged > 0 {
		missing = append(missing, fmt.Sprintf("damaged records that are not shown: %d", gaps.damaged))
	}
	switch {
	case len(missing) > 0:
		return problem(strings.Join(missing, "; "))
	case n == 0:
		return problem("no event found: " + none)
	}
	return nil
}

func printEventTable(cmd *cobra.Command, list adminclient.EventList) error {
	rows := make([][]string, len(list.Events))
	for i, e := range list.Events {
		rows[i] = eventRow(e)
	}
	if len(rows) == 0 {
		return nil
	}
	return printTable(cmd.OutOrStdout(), eventColumns, rows)
}

// eventColumns are the columns of eventRow.
var eventColumns = []string{"TIME", "EVENT", "ACCOUNT", "UNIQUE-ID", "BY", "SERVER", "DETAILS"}

// eventRow returns the line of an event in a table.
func eventRow(e adminclient.Event) []string {
	place := e.Server
	if e.Datacenter != "" {
		place = e.Datacenter + " " + place
	}
	return []string{when(e.Time), e.Kind, e.Address, e.UniqueID, actorOf(e), place, detailsOf(e)}
}

// actorOf names the client or the administrator behind an event.
func actorOf(e adminclient.Event) string {
	parts := []string{}
	for _, part := range []string{e.Actor, e.Protocol, e.Remote} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// detailsOf describes the rest of an event as NAME=VALUE.
func detailsOf(e adminclient.Event) string {
	var parts []string
	for _, fact := range e.Facts() {
		parts = append(parts, fact.Name+"="+fact.Text)
	}
	for _, state := range []adminclient.Fact{{Name: "before", Text: e.Before}, {Name: "after", Text: e.After}} {
		if state.Text != "" {
			parts = append(parts, state.Name+"="+state.Text)
		}
	}
	return strings.Join(parts, " ")
}
