package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/config"
	"popelago/mail"
)

func newTestCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("test", "Explain the decisions that a client would meet, and change nothing",
		newTestAddressCommand(f), newTestAuthCommand(f), newTestMessageCommand(f))
	f.add(cmd)
	return cmd
}

func newTestAddressCommand(f *remoteFlags) *cobra.Command {
	size := ""
	cmd := &cobra.Command{
		Use:   "address ADDRESS",
		Short: "Explain whether mail for an address is accepted, and by which settings",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			octets, err := parseSize(size)
			if err != nil {
				return err
			}
			return f.test(cmd, func(c *adminclient.Client) (adminclient.Trial, error) {
				return c.TestAddress(cmd.Context(), adminclient.AddressTrial{Address: args[0], Size: octets})
			})
		},
	}
	cmd.Flags().StringVar(&size, "size", "", "the `SIZE` that the sender declares, such as 10MiB")
	return cmd
}

// parseSize reads the size of a message; empty: unknown.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	octets, ok := mail.ParseOctets(text)
	if !ok {
		return 0, &usageError{fmt.Sprintf("--size %s is not a size such as 10MiB", quoted(text))}
	}
	return octets, nil
}

func newTestAuthCommand(f *remoteFlags) *cobra.Command {
	var flags passwordFlags
	file := ""
	t := adminclient.AuthTrial{}
	cmd := &cobra.Command{
		Use:   "auth ADDRESS",
		Short: "Explain whether a login is accepted, and by which settings",
		Long: `Explain whether a login is accepted, and by which settings. Without --password-stdin and
--password-file the command asks for the password. The test counts as no login.`,
		Args: arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.test(cmd, func(c *adminclient.Client) (trial adminclient.Trial, err error) {
				t.Address = args[0]
				if t.Password, err = testedPassword(cmd, flags, file, args[0]); err != nil {
					return trial, err
				}
				return c.TestAuth(cmd.Context(), t)
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&file, "password-file", "", "read the password, one line, from `FILE`, which others may not read")
	cmd.Flags().BoolVar(&t.Clear, "clear", false, "the connection has no TLS")
	cmd.Flags().StringVar(&t.Client, "client", "", "the IP `ADDRESS` of the client, for the penalty of its failed logins")
	return cmd
}

// testedPassword reads the password of a test.
func testedPassword(cmd *cobra.Command, flags passwordFlags, file, address string) (string, error) {
	in, terminal := cmd.InOrStdin().(*os.File)
	switch {
	case flags.stdin && file != "":
		return "", &usageError{"--password-stdin goes without --password-file"}
	case file != "":
		return config.ReadSecret(file)
	case flags.stdin:
		return readPassword(cmd.InOrStdin())
	case !terminal || !isTerminal(in):
		return "", &usageError{"standard input is not a terminal: give the password with --password-stdin or --password-file"}
	}
	password, err := promptLine(in, cmd.ErrOrStderr(), fmt.Sprintf("Password of %s: ", address))
	if err != nil {
		return "", err
	}
	return password, checkTyped(password)
}

func newTestMessageCommand(f *remoteFlags) *cobra.Command {
	to, from := "", ""
	cmd := &cobra.Command{
		Use:   "message [FILE] --to ADDRESS",
		Short: "Explain whether a message is accepted, and by which settings",
		Long: `Explain whether a message, from FILE or from standard input, is accepted for an address, and by
which settings. The message takes the way of delivery up to its storage; nothing is stored. LF
line ends become CRLF.`,
		Args: arguments("[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return &usageError{"--to ADDRESS is missing"}
			}
			text, err := openInput(cmd, args)
			if err != nil {
				return withExit(exitNoInput, err)
			}
			defer text.Close()
			return f.test(cmd, func(c *adminclient.Client) (adminclient.Trial, error) {
				return c.TestMessage(cmd.Context(), to, from, text)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the recipient, an `ADDRESS`")
	cmd.Flags().StringVar(&from, "from", "", "the reverse-path, an `ADDRESS`; without it the null reverse-path")
	return cmd
}

// test does a test and prints the result.
func (f *remoteFlags) test(cmd *cobra.Command, do func(*adminclient.Client) (adminclient.Trial, error)) error {
	return f.call(func(c *adminclient.Client) error {
		t, err := do(c)
		if err != nil {
			return err
		}
		if f.json {
			err = printJSON(cmd.OutOrStdout(), t)
		} else {
			err = printTrial(cmd.OutOrStdout(), t)
		}
		if err == nil && !t.Accepted {
			err = problem("a client would be refused")
		}
		return err
	})
}

func printTrial(w io.Writer, t adminclient.Trial) error {
	if t.Resolution != nil {
		if err := printResolution(w, *t.Resolution); err != nil {
			return err
		}
	}
	rows := make([][]string, len(t.Steps))
	for i, s := range t.Steps {
		passed := "passed"
		if !s.Passed {
			passed = "refused"
		}
		rows[i] = []string{s.Decision, passed, orDash(s.Source), mail.Printable(s.Detail)}
	}
	if err := printTable(w, []string{"DECISION", "RESULT", "SOURCE", "DETAIL"}, rows); err != nil {
		return err
	}
	for _, line := range replyLines(t.Replies) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// replyLines describes the replies: protocols with the same reply share a line.
func replyLines(replies []adminclient.TrialReply) (lines []string) {
	for i := 0; i < len(replies); {
		r := replies[i]
		var protocols []string
		for ; i < len(replies) && replies[i].Command == r.Command && replies[i].Reply == r.Reply; i++ {
			protocols = append(protocols, strings.ToUpper(replies[i].Protocol))
		}
		lines = append(lines, fmt.Sprintf("%s, %s: %s", strings.Join(protocols, " and "), r.Command, r.Reply))
	}
	return lines
}
