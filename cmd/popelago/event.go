package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newEventCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("event", "See the queue of events, and the webhooks that get them",
		newEventListCommand(f), newEventWebhooksCommand(f), newEventReplayCommand(f))
	f.add(cmd)
	return cmd
}

func newEventListCommand(f *remoteFlags) *cobra.Command {
	var events eventFlags
	kind, address := "", ""
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the events of the queue, the newest first",
		Long: `List the events that webhooks get, in all datacenters, the newest first, sent or not. Events of the last
second at other servers may be missing. The server must keep a queue (events.enabled).

Exit codes: 0 events were found; 1 none was found, a record is damaged, or a datacenter could not
be asked; 64 wrong usage.`,
		Example: `  popelago event list --since 1h
  popelago event list --kind unfetched --json`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			bounds, err := events.query()
			if err != nil {
				return err
			}
			q := adminclient.QueueQuery{Since: bounds.Since, Until: bounds.Until, Kind: kind, Address: address, Limit: bounds.Limit}
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Events(cmd.Context(), q)
				if err != nil {
					return err
				}
				return printQueue(cmd, f, list)
			})
		},
	}
	events.add(cmd)
	cmd.Flags().StringVar(&kind, "kind", "", "only events of this `KIND`, such as accepted or removed")
	cmd.Flags().StringVar(&address, "address", "", "only events of the account with this `ADDRESS`")
	return cmd
}

// printQueue prints a list, and returns a problem if it has no event or may lack some.
func printQueue(cmd *cobra.Command, f *remoteFlags, list adminclient.QueueList) error {
	err := printQueueTable(cmd, f, list)
	if err != nil {
		return err
	}
	none := "this server keeps no queue of events (events.enabled)"
	if list.Enabled {
		kept, _ := time.ParseDuration(list.Kept)
		none = fmt.Sprintf("events are kept for %d hours (events.keep)", int(kept.Hours()))
	}
	var last time.Time
	if n := len(list.Events); n > 0 && list.More {
		last = list.Events[n-1].Queued
	}
	return endEvents(cmd, len(list.Events), last, eventGaps{list.Partial, list.Damaged}, none)
}

func printQueueTable(cmd *cobra.Command, f *remoteFlags, list adminclient.QueueList) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), list)
	}
	if len(list.Events) == 0 {
		return nil
	}
	rows := make([][]string, len(list.Events))
	for i, q := range list.Events {
		rows[i] = eventRow(q.Event)
		rows[i][0] = when(q.Queued)
	}
	return printTable(cmd.OutOrStdout(), append([]string{"QUEUED"}, eventColumns[1:]...), rows)
}

func newEventWebhooksCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "webhooks",
		Short: "Show how far each webhook is behind",
		Long: `Show the state of each webhook in each datacenter: whether events wait, and since when at most. The
servers of a datacenter send the events of this datacenter. FAILURE is the failure that the
server with this command has met itself; another server may have another part of the work.

Exit codes: 0 the state of all webhooks is known; 1 the state of a webhook is not known.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				list, err := c.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				return printWebhooks(cmd, f, list)
			})
		},
	}
}

func printWebhooks(cmd *cobra.Command, f *remoteFlags, list adminclient.WebhookList) error {
	var unknown []string
	rows := make([][]string, len(list.Webhooks))
	for i, w := range list.Webhooks {
		waiting, sent := "nothing", "-"
		switch {
		case w.Error != "":
			waiting = "unknown"
			unknown = append(unknown, fmt.Sprintf("%s in %s: %s", w.Name, w.Datacenter, w.Error))
		case !w.Began:
			waiting = "not begun"
		case w.Waiting:
			waiting = "since " + when(*w.Oldest)
		}
		if w.Sent != nil {
			sent = when(*w.Sent)
		}
		rows[i] = []string{w.Name, w.Datacenter, waiting, sent, w.Failure}
	}
	var err error
	switch {
	case f.json:
		err = printJSON(cmd.OutOrStdout(), list)
	case len(rows) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "there is no webhook (events.webhooks)")
	default:
		err = printTable(cmd.OutOrStdout(), []string{"WEBHOOK", "DATACENTER", "EVENTS WAIT", "LAST SENT", "FAILURE"}, rows)
	}
	if err == nil && len(unknown) > 0 {
		return problem("the state is not known: " + strings.Join(unknown, "; "))
	}
	return err
}

func newEventReplayCommand(f *remoteFlags) *cobra.Command {
	var since momentFlag
	var r adminclient.Replay
	cmd := &cobra.Command{
		Use:   "replay WEBHOOK",
		Short: "Make a webhook get events again",
		Long: `Make a webhook get all events again that were queued since a moment, as far as they are kept
(events.keep), in their order. Events from before that wait are sent, too; with --skip they are not
sent any more.`,
		Example: `  popelago event replay crm --since 2h
  popelago event replay crm --since 0s --skip`,
		Args: arguments("WEBHOOK"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if since.text == "" {
				return &usageError{"--since is missing: it says from when on the webhook gets the events again"}
			}
			if r.Since, err = since.moment(); err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				done, err := c.ReplayWebhook(cmd.Context(), args[0], r)
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), done)
				}
				place := ""
				if all := strings.Join(done.Datacenters, ", "); all != "" {
					place = " in " + all
				}
				text := "webhook %s gets the events since %s again%s\n"
				if r.Skip {
					text = "webhook %s gets only the events since %s%s\n"
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), text, args[0], when(r.Since), place)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&since.text, "since", "", "events since `WHEN`: an age such as 2h or 3d, or a time such as 2026-11-26T10:00:00Z")
	cmd.Flags().StringVar(&r.Datacenter, "datacenter", "", "only events of the servers of this `DATACENTER`")
	cmd.Flags().BoolVar(&r.Skip, "skip", false, "do not send events from before that wait")
	return cmd
}
