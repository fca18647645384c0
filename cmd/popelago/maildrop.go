package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newMaildropCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("maildrop", "List, read, remove and add the messages of an account",
		newMaildropListCommand(f), newMaildropHeadersCommand(f), newMaildropFetchCommand(f), newMaildropVerifyCommand(f),
		newMaildropRemoveCommand(f), newMaildropRemovedCommand(f), newMaildropRestoreCommand(f), newMaildropPutCommand(f))
	cmd.Long = `List, read, remove and add the messages of an account. A message is named by its unique-id,
which "maildrop list" shows. The server logs who reads, removes or adds a message.`
	f.add(cmd)
	return cmd
}

// filterFlags select messages by age and size.
type filterFlags struct{ adminclient.MaildropFilter }

func (f *filterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.OlderThan, "older-than", "", "only messages that arrived at least this `AGE` ago: 90d, 36h")
	flags.StringVar(&f.NewerThan, "newer-than", "", "only messages that arrived less than this `AGE` ago")
	flags.Int64Var(&f.MinOctets, "min-octets", 0, "only messages of at least this `SIZE`")
	flags.Int64Var(&f.MaxOctets, "max-octets", 0, "only messages of at most this `SIZE`; 0: of any size")
}

// check reports wrong usage.
func (f *filterFlags) check() error {
	for _, age := range []string{f.OlderThan, f.NewerThan} {
		if r, err := mail.ParseRetention(age); age != "" && (err != nil || !r.Ends()) {
			return &usageError{quoted(age) + " is not an age such as \"90d\" or \"36h\""}
		}
	}
	if f.MinOctets < 0 || f.MaxOctets < 0 {
		return &usageError{"a size is not negative"}
	}
	return nil
}

// maildropPage is the number of messages in one request.
const maildropPage = 10_000

func newMaildropListCommand(f *remoteFlags) *cobra.Command {
	var filter filterFlags
	limit, newestFirst := 0, false
	cmd := &cobra.Command{
		Use:   "list ADDRESS",
		Short: "List the messages of an account, as a POP3 session that begins now",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := filter.check(); err != nil {
				return err
			}
			if limit < 0 {
				return &usageError{"--limit is not negative"}
			}
			return f.call(func(c *adminclient.Client) error {
				print := newMaildropPrinter(f, cmd)
				for after, left := "", limit; ; {
					size := maildropPage
					if limit > 0 {
						size = min(left, maildropPage)
					}
					page, err := c.Maildrop(cmd.Context(), args[0], adminclient.MaildropQuery{MaildropFilter: filter.MaildropFilter, NewestFirst: newestFirst}, after, size)
					if err != nil {
						return err
					}
					if err := print.page(page.Messages); err != nil {
						return err
					}
					left -= len(page.Messages)
					if after = page.Next; after == "" || limit > 0 && left <= 0 {
						return print.end(after != "")
					}
				}
			})
		},
	}
	filter.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "stop after this `NUMBER` of messages; 0: list all")
	cmd.Flags().BoolVar(&newestFirst, "newest-first", false, "list the newest message first")
	return cmd
}

// maildropPrinter prints a list page by page, so that the memory for a list of any length is bounded.
type maildropPrinter struct {
	f     *remoteFlags
	cmd   *cobra.Command
	count int
}

func newMaildropPrinter(f *remoteFlags, cmd *cobra.Command) *maildropPrinter {
	return &maildropPrinter{f: f, cmd: cmd}
}

// page prints a page: rows of fixed width, or one JSON object on each line.
func (p *maildropPrinter) page(messages []adminclient.MaildropMessage) error {
	out := p.cmd.OutOrStdout()
	if p.f.json {
		for _, m := range messages {
			if err := printJSONLine(out, m); err != nil {
				return err
			}
		}
		return nil
	}
	if p.count == 0 {
		if _, err := fmt.Fprintf(out, "%7s  %-32s  %10s  %-19s  %s\n", "NUMBER", "UNIQUE-ID", "OCTETS", "ARRIVED", "ID"); err != nil {
			return err
		}
	}
	for _, m := range messages {
		if _, err := fmt.Fprintf(out, "%7d  %-32s  %10d  %-19s  %s\n", m.Number, m.UniqueID, m.Octets, when(m.Arrived), m.ID); err != nil {
			return err
		}
	}
	p.count += len(messages)
	return nil
}

func (p *maildropPrinter) end(more bool) error {
	if !more || p.f.json {
		return nil
	}
	_, err := fmt.Fprintf(p.cmd.ErrOrStderr(), "there is more than these %d\n", p.count)
	return err
}

func newMaildropHeadersCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "headers ADDRESS UNIQUE-ID",
		Short: "Show the header of a message",
		Long: `Show the header of a message: first its sender and subject, decoded, then all fields as they
are. All texts come from the sender of the message, and may claim anything. Characters that
cannot be seen stand as question marks.`,
		Args: arguments("ADDRESS", "UNIQUE-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				h, err := c.MessageHeader(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), h)
				}
				var b strings.Builder
				fmt.Fprintf(&b, "sender   %s\nsubject  %s\noctets   %d\narrived  %s\n\n", h.Sender, h.Subject, h.Octets, when(h.Arrived))
				for _, field := range h.Fields {
					fmt.Fprintf(&b, "%s: %s\n", field.Name, field.Body)
				}
				if !h.Whole {
					b.WriteString("\nthe header is longer: \"maildrop fetch\" shows all of it\n")
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), b.String())
				return err
			})
		},
	}
}

func newMaildropVerifyCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "verify ADDRESS UNIQUE-ID",
		Short: "Read a message to its end, and compare its size with the list",
		Long: `Read a message to its end on the server, and compare its size with the list. Exit codes: 0 the
message is sound, 1 the message is damaged or its content is missing, 67 no such message.`,
		Args: arguments("ADDRESS", "UNIQUE-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				v, err := c.VerifyMessage(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), v)
				} else {
					err = printTable(cmd.OutOrStdout(), []string{"state", v.State}, [][]string{
						{"octets listed", strconv.FormatInt(v.Octets, 10)},
						{"octets read", strconv.FormatInt(v.Read, 10)},
						{"entries", strconv.Itoa(v.Rows)},
					})
				}
				if err != nil || v.State == adminclient.MessageSound {
					return err
				}
				return problem("the message is " + v.State + "; the server's log has the cause")
			})
		},
	}
}
