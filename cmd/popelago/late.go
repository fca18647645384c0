package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newLateCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("late", "List, hand over or remove mail accepted for accounts that had ended",
		newLateListCommand(f), newLateHandOverCommand(f), newLateDropCommand(f))
	cmd.Long = `List, hand over or remove late mail: mail accepted for an account that had ended, by a
server that did not know yet, and the mail of an account displaced by another account of
its address. Late mail is in no maildrop. The server keeps it for tasks.late_mail (7
days), and then removes it.`
	f.add(cmd)
	return cmd
}

func newLateListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list [ADDRESS]",
		Short: "List the late mail of one address, or of all",
		Args:  arguments("[ADDRESS]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address := ""
			if len(args) > 0 {
				address = args[0]
			}
			return f.call(func(c *adminclient.Client) error {
				messages := []adminclient.LateMessage{} // [] in JSON
				err := eachPage(func(after string) ([]adminclient.LateMessage, string, error) {
					page, err := c.Late(cmd.Context(), address, after, maildropPage)
					return page.Messages, page.Next, err
				}, func(page []adminclient.LateMessage) error {
					messages = append(messages, page...)
					return nil
				})
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), adminclient.LateList{Messages: messages})
				}
				rows := make([][]string, len(messages))
				for i, m := range messages {
					rows[i] = []string{m.Address, when(m.Ended), when(m.Arrived), "<" + m.Sender + ">", strconv.FormatInt(m.Size, 10), m.Message, m.Mailbox}
				}
				return printTable(cmd.OutOrStdout(), []string{"ADDRESS", "ENDED", "ARRIVED", "SENDER", "OCTETS", "MESSAGE", "MAILBOX"}, rows)
			})
		},
	}
}

// lateFlags name late mail beside its address.
type lateFlags struct{ mailbox, message string }

func (l *lateFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&l.mailbox, "mailbox", "", "only the late mail of the former account with this mailbox `ID`")
	cmd.Flags().StringVar(&l.message, "message", "", "only the message with this `ID`")
}

func (l *lateFlags) selection(address string) adminclient.LateSelection {
	return adminclient.LateSelection{Address: address, Mailbox: l.mailbox, Message: l.message}
}

// untilNoMore repeats a request until no more messages are selected, and returns the sum.
func untilNoMore(request func() (adminclient.LateCount, error)) (sum adminclient.LateCount, err error) {
	for {
		n, err := request()
		if err != nil && sum.Messages > 0 {
			err = fmt.Errorf("after %d messages: %w", sum.Messages, err)
		}
		if err != nil {
			return sum, err
		}
		sum.Messages += n.Messages
		if !n.More {
			return sum, nil
		}
	}
}

func newLateHandOverCommand(f *remoteFlags) *cobra.Command {
	var l lateFlags
	cmd := &cobra.Command{
		Use:   "hand-over ADDRESS TO",
		Short: "Move late mail into the maildrop of another account",
		Long: `Move the late mail of ADDRESS into the maildrop of the account TO, which may be a new one
of the same address. Each message keeps its octets and its unique-id. The command may be
repeated after an error.`,
		Args: arguments("ADDRESS", "TO"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				n, err := untilNoMore(func() (adminclient.LateCount, error) {
					return c.HandOverLate(cmd.Context(), l.selection(args[0]), args[1])
				})
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), n, "messages handed over to %s: %d", args[1], n.Messages)
			})
		},
	}
	l.add(cmd)
	return cmd
}

func newLateDropCommand(f *remoteFlags) *cobra.Command {
	var l lateFlags
	cmd := &cobra.Command{
		Use:   "drop ADDRESS",
		Short: "Remove late mail permanently",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				n, err := untilNoMore(func() (adminclient.LateCount, error) { return c.DropLate(cmd.Context(), l.selection(args[0])) })
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), n, "%d late messages removed", n.Messages)
			})
		},
	}
	l.add(cmd)
	return cmd
}
