package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newAlarmCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("alarm", "See the maildrops that need attention", newAlarmListCommand(f))
	f.add(cmd)
	return cmd
}

func newAlarmListCommand(f *remoteFlags) *cobra.Command {
	var filter adminclient.AlarmFilter
	limit := 0
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the maildrops whose mail nobody fetches, and those that grow out of character",
		Long: `List the maildrops that need attention, as the last run of the job alarms found them on each
server of all datacenters:

  unfetched  the oldest message is older than tasks.alarm_unfetched (30 days), and nobody has
             logged in for as long
  growing    a day brought tasks.alarm_growing (1000) messages or more, and ten times
             (tasks.alarm_growing_factor) the messages of an average day of the week before; the
             messages are still there

"popelago task run alarms" judges the maildrops now. The exit code is 1 if a server did not answer:
then alarms may be missing, and standard error names the server and the reason.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch filter.Kind {
			case "", adminclient.AlarmUnfetched, adminclient.AlarmGrowing:
			default:
				return &usageError{fmt.Sprintf("--kind %s: want unfetched or growing", quoted(filter.Kind))}
			}
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Alarms(cmd.Context(), filter, limit)
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), list)
				} else {
					err = printAlarms(cmd.OutOrStdout(), list)
				}
				if err != nil {
					return err
				}
				if list.Judged == nil {
					_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "a server has not judged its maildrops since its start: see \"popelago task list\"")
				}
				return reportParts(cmd.ErrOrStderr(), list.Parts)
			})
		},
	}
	cmd.Flags().StringVar(&filter.Kind, "kind", "", "only alarms of this `KIND`: unfetched or growing")
	addSelection(cmd.Flags(), &filter.Server, &filter.Datacenter)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `N` alarms, up to 20000 (default 1000)")
	return cmd
}

func printAlarms(w io.Writer, list adminclient.AlarmList) error {
	rows := make([][]string, len(list.Alarms))
	for i, a := range list.Alarms {
		login, day := "-", "-"
		if a.LastLogin != nil {
			login = when(*a.LastLogin)
		}
		if a.Kind == adminclient.AlarmGrowing {
			day = fmt.Sprintf("%d, usually %.1f", a.Messages, a.Usual)
		}
		rows[i] = []string{a.Kind, mail.Printable(a.Address), when(a.Since), when(a.Oldest), login, day}
	}
	if err := printTable(w, []string{"ALARM", "ADDRESS", "SINCE", "OLDEST MESSAGE", "LAST LOGIN", "MESSAGES A DAY"}, rows); err != nil || list.More == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "and %d more: see --limit\n", list.More)
	return err
}
