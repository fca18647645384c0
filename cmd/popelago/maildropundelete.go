package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

// sinceFlag is a moment: an age, or a time.
type sinceFlag struct{ text string }

func (s *sinceFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.text, "since", "", "only messages removed since `WHEN`: an age such as 2h or 3d, or a time such as 2026-11-26T10:00:00Z")
}

// addBefore adds the flag for the end of a span.
func (s *sinceFlag) addBefore(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.text, "before", "", "leave out messages removed after `WHEN`, in the forms of --since")
}

// moment returns the zero time without the flag.
func (s *sinceFlag) moment() (time.Time, error) {
	if s.text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, s.text); err == nil {
		return at, nil
	}
	if at, err := time.ParseInLocation(whenForm, s.text, time.Local); err == nil { // as in the tables
		return at, nil
	}
	if age, err := mail.ParseRetention(s.text); err == nil && age.Ends() {
		return time.Now().Add(-time.Duration(age)), nil
	}
	if age, err := time.ParseDuration(s.text); err == nil && age == 0 { // an age, but no retention
		return time.Now(), nil
	}
	return time.Time{}, &usageError{quoted(s.text) + " is neither an age such as \"2h\" nor a time such as \"2026-11-26T10:00:00Z\""}
}

func newMaildropRemovedCommand(f *remoteFlags) *cobra.Command {
	var since sinceFlag
	limit, after := 0, ""
	cmd := &cobra.Command{
		Use:   "removed ADDRESS",
		Short: "List the removed messages of an account that can be restored",
		Long: `List the removed messages of an account that can be restored, the last removal first: those
whose content is still kept (tasks.undelete_window), and that are not in the maildrop again.
Messages that were removed because of their age are among them.`,
		Args: arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := since.moment()
			if err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				list, err := c.RemovedMessages(cmd.Context(), args[0], from, after, limit)
				return f.showRemoved(cmd, list, err)
			})
		},
	}
	since.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1000, "list at most this `NUMBER` of messages")
	cmd.Flags().StringVar(&after, "after", "", afterRemovedHelp)
	return cmd
}

// afterRemovedHelp is the help text of --after.
const afterRemovedHelp = "list the page behind this `UNIQUE-ID`, which the page before names"

// showRemoved prints a page of removed messages, unless err is the reason why there is none.
func (f *remoteFlags) showRemoved(cmd *cobra.Command, list adminclient.RemovedList, err error) error {
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd.OutOrStdout(), list)
	}
	rows := make([][]string, len(list.Messages))
	for i, m := range list.Messages {
		octets := "unknown"
		if m.Octets > 0 {
			octets = strconv.FormatInt(m.Octets, 10)
		}
		rows[i] = []string{when(m.Removed), m.UniqueID, octets, when(m.Arrived)}
	}
	err = printTable(cmd.OutOrStdout(), []string{"REMOVED", "UNIQUE-ID", "OCTETS", "ARRIVED"}, rows)
	notes := cmd.ErrOrStderr()
	if list.Next != "" {
		fmt.Fprintf(notes, "there is more than these %d: --after %s\n", len(rows), list.Next)
	}
	if list.Partial {
		fmt.Fprintln(notes, partialNote)
	}
	if len(rows) == 0 {
		fmt.Fprintf(notes, "removed messages are kept for %s (tasks.undelete_window)\n", list.Window)
	}
	return err
}

// partialNote tells that a search could not see everything.
const partialNote = "not every datacenter answered: messages that were removed elsewhere may be missing"

func newMaildropRestoreCommand(f *remoteFlags) *cobra.Command {
	var since, before sinceFlag
	var all bool
	cmd := &cobra.Command{
		Use:   "restore ADDRESS [UNIQUE-ID...]",
		Short: "Bring removed messages back into the maildrop",
		Long: `Bring removed messages back into the maildrop, under their unique-ids: those named, all that
"maildrop removed" lists (--all), or those removed since a moment (--since). A message that is
in the maildrop already stays as it is, so the command may be repeated. A message that the user
removes during a restore of more than 20 seconds stays removed. A command that runs again, because
another one was stopped, begins anew: with --before, the time at which the first command began, what
the user has removed since stays removed.

Exit codes: 0 restored, or in the maildrop already; 1 not everything could be restored;
64 wrong usage; 67 no such account.`,
		Example: `  popelago maildrop restore alice@example.org --since 2h
  popelago maildrop restore alice@example.org 6ba7b8109dad11d180b400c04fd430c8`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"ADDRESS is missing"}
			}
			return checkTexts(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			requests, err := restores(args[1:], all, since, before)
			if err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				return restoreAll(cmd, f, args[0], requests, func(ctx context.Context, r adminclient.RestoreRequest) (adminclient.Restored, error) {
					return c.Restore(ctx, args[0], r)
				})
			})
		},
	}
	since.add(cmd)
	before.addBefore(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "restore all removed messages")
	return cmd
}

// restores returns the requests for a restore.
func restores(uniqueIDs []string, all bool, since, before sinceFlag) (requests []adminclient.RestoreRequest, err error) {
	from, err := since.moment()
	if err != nil {
		return nil, err
	}
	until, err := before.moment()
	if err != nil {
		return nil, err
	}
	r := adminclient.RestoreRequest{All: all}
	if !until.IsZero() {
		r.Began = &until
	}
	if !from.IsZero() {
		r.Since = &from
	}
	switch {
	case len(uniqueIDs) > 0 && all, len(uniqueIDs) == 0 && !all && r.Since == nil:
		return nil, &usageError{"name UNIQUE-IDs, or --all, or --since WHEN"}
	case len(uniqueIDs) == 0:
		return []adminclient.RestoreRequest{r}, nil
	}
	for r.UniqueIDs = range slices.Chunk(uniqueIDs, removeAtOnce) {
		requests = append(requests, r)
	}
	return requests, nil
}

// restoreAll makes requests with restore, each until its end, and prints the sum.
func restoreAll(
	cmd *cobra.Command, f *remoteFlags, address string, requests []adminclient.RestoreRequest,
	restore func(context.Context, adminclient.RestoreRequest) (adminclient.Restored, error),
) error {
	sum := adminclient.Restored{There: []string{}, Missing: []string{}}
	began := time.Now()
	for _, r := range requests {
		for more := true; more; {
			part, err := restore(cmd.Context(), r)
			if err != nil {
				return stoppedRestore(sum.Messages, cmp.Or(r.Began, &began), err)
			}
			r.Began = cmp.Or(part.Began, r.Began) // what the user removes meanwhile stays removed
			sum.Messages += part.Messages
			sum.Octets += part.Octets
			sum.Partial = sum.Partial || part.Partial
			// The last answer counts each of these once.
			if more = part.More && part.Messages > 0; !more {
				sum.There, sum.Missing = append(sum.There, part.There...), append(sum.Missing, part.Missing...)
				sum.Gone, sum.Waiting, sum.More = sum.Gone+part.Gone, sum.Waiting+part.Waiting, sum.More || part.More
				sum.Began = cmp.Or(sum.Began, r.Began)
			}
		}
	}
	if sum.Began = cmp.Or(sum.Began, &began); !sum.More && sum.Waiting == 0 && !sum.Partial {
		sum.Began = nil
	}
	if err := f.result(cmd.OutOrStdout(), sum, "messages restored: %d, octets: %d", sum.Messages, sum.Octets); err != nil {
		return err
	}
	return restoreOutcome(cmd, address, sum)
}

// stoppedRestore returns the error of a restore that has stopped, with the way to go on unless nothing was restored.
func stoppedRestore(messages int, began *time.Time, err error) error {
	var answer *adminclient.Error
	switch refused := errors.As(err, &answer) && answer.Status < http.StatusInternalServerError; {
	case messages > 0:
		err = fmt.Errorf("after %d messages: %w", messages, err)
	case refused, errors.Is(err, adminclient.ErrNoServer), errors.Is(err, adminclient.ErrNotPermitted):
		return err
	}
	return fmt.Errorf("%w\n%s", err, goOnFrom(*began))
}

// goOnFrom names the command that goes on with a restore.
func goOnFrom(began time.Time) string {
	return "To go on without messages that the user has removed meanwhile, run the command again with --before " + began.UTC().Format("2006-01-02T15:04:05.000Z")
}

// restoreOutcome returns the error for a restore that is not complete.
func restoreOutcome(cmd *cobra.Command, address string, sum adminclient.Restored) error {
	if sum.Partial {
		fmt.Fprintln(cmd.ErrOrStderr(), partialNote)
	}
	var lacking []string
	if len(sum.Missing) > 0 {
		lacking = append(lacking, "no removal that can be undone: "+listed(sum.Missing))
	}
	if sum.Gone > 0 {
		lacking = append(lacking, fmt.Sprintf("content gone or damaged: %d", sum.Gone))
	}
	if sum.Waiting > 0 {
		lacking = append(lacking, fmt.Sprintf("content not readable now: %d; try again later", sum.Waiting))
	}
	if sum.More {
		lacking = append(lacking, "time has run out")
	}
	goOn := ""
	if sum.Began != nil {
		goOn = goOnFrom(*sum.Began)
	}
	switch {
	case len(lacking) > 0:
		return problem(strings.TrimSuffix("not everything of "+address+" was restored: "+strings.Join(lacking, "; ")+"\n"+goOn, "\n"))
	case goOn != "":
		fmt.Fprintln(cmd.ErrOrStderr(), goOn)
	}
	return nil
}
