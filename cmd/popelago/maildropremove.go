package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

// removeAtOnce is the number of unique-ids in one request: the server's maximum.
const removeAtOnce = 200

func newMaildropRemoveCommand(f *remoteFlags) *cobra.Command {
	var filter filterFlags
	var all, dryRun bool
	cmd := &cobra.Command{
		Use:   "remove ADDRESS [UNIQUE-ID...]",
		Short: "Remove messages of an account",
		Long: `Remove messages of an account: those named, those that a filter selects, or all. The messages
are removed as by DELE and QUIT. A message that arrives meanwhile stays. Of more than 10,000
messages, a message from a server whose clock is ahead may stay: repeat the command in five
minutes. --dry-run only counts the messages and their octets.

Exit codes: 0 removed, 1 a unique-id is not in the maildrop, 64 wrong usage, 67 no such account.`,
		Example: `  popelago maildrop remove alice@example.org --older-than 365d --dry-run
  popelago maildrop remove alice@example.org 6ba7b8109dad11d180b400c04fd430c8`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"ADDRESS is missing"}
			}
			return checkTexts(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			requests, err := removals(args[1:], filter, all, dryRun)
			if err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error { return removeAll(cmd, f, c, args[0], requests, dryRun) })
		},
	}
	filter.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "remove all messages")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "count the messages and their octets, and remove nothing")
	return cmd
}

// checkTexts reports arguments that are not UTF-8.
func checkTexts(args []string) error {
	for _, arg := range args {
		if err := mail.CheckUTF8(arg); err != nil {
			return &usageError{fmt.Sprintf("%s: %v", quoted(arg), err)}
		}
	}
	return nil
}

// removals returns the requests for a removal.
func removals(uniqueIDs []string, filter filterFlags, all, dryRun bool) (requests []adminclient.MaildropRemoval, err error) {
	if err := filter.check(); err != nil {
		return nil, err
	}
	filtered := filter.MaildropFilter != adminclient.MaildropFilter{}
	ways := 0
	for _, given := range []bool{len(uniqueIDs) > 0, filtered, all} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, &usageError{"name UNIQUE-IDs, or a filter such as --older-than 90d, or --all"}
	case all:
		return []adminclient.MaildropRemoval{{All: true, DryRun: dryRun}}, nil
	case filtered:
		return []adminclient.MaildropRemoval{{Filter: &filter.MaildropFilter, DryRun: dryRun}}, nil
	}
	for some := range slices.Chunk(uniqueIDs, removeAtOnce) {
		requests = append(requests, adminclient.MaildropRemoval{UniqueIDs: some, DryRun: dryRun})
	}
	return requests, nil
}

// removeAll makes requests, each until no more messages are selected, and prints the sum.
func removeAll(cmd *cobra.Command, f *remoteFlags, c *adminclient.Client, address string, requests []adminclient.MaildropRemoval, dryRun bool) error {
	sum := adminclient.MaildropRemoved{Missing: []string{}}
	begun := time.Now()
	for _, r := range requests {
		for more := true; more; r = continued(r, time.Since(begun)) {
			removed, err := c.RemoveMessages(cmd.Context(), address, r)
			if err != nil {
				if sum.Messages > 0 {
					err = fmt.Errorf("after %d messages: %w", sum.Messages, err)
				}
				return err
			}
			sum.Messages += removed.Messages
			sum.Octets += removed.Octets
			sum.Missing = append(sum.Missing, removed.Missing...)
			more = removed.More
		}
	}
	done := "removed"
	if dryRun {
		done = "to be removed"
	}
	if err := f.result(cmd.OutOrStdout(), sum, "messages %s: %d, octets: %d", done, sum.Messages, sum.Octets); err != nil {
		return err
	}
	if len(sum.Missing) > 0 {
		return problem("not in the maildrop of " + address + ": " + listed(sum.Missing))
	}
	return nil
}

// continued returns the request that goes on with a removal that began some time ago: without the messages that have
// arrived since.
func continued(r adminclient.MaildropRemoval, ago time.Duration) adminclient.MaildropRemoval {
	if len(r.UniqueIDs) > 0 {
		return r
	}
	f := adminclient.MaildropFilter{}
	if r.Filter != nil {
		f = *r.Filter
	}
	if f.OlderThan == "" {
		f.OlderThan = max(ago, time.Millisecond).String()
	}
	r.All, r.Filter = false, &f
	return r
}

// listed lists up to ten texts.
func listed(texts []string) string {
	const most = 10
	list := ""
	for i, t := range texts {
		switch {
		case i == most:
			return list + fmt.Sprintf(" and %d more", len(texts)-most)
		case i > 0:
			list += ", "
		}
		list += mail.Printable(t)
	}
	return list
}
