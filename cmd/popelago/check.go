package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"popelago/adminclient"
)

func newCheckCommand() *cobra.Command {
	f := &remoteFlags{}
	var o adminclient.CheckOptions
	var wait bool
	cmd := &cobra.Command{
		Use:   "check [ADDRESS]",
		Short: "Compare the mailboxes of a running server with the stored contents",
		Long: `Compare the entries of all mailboxes, or of one address, with the stored contents, both
ways. The server goes on working. The check reads every replica, and concludes nothing
while one is away.

Kinds of findings:

  dangling  an entry without content            --repair removes it
  mismatch  an entry that contradicts its       --repair stores the message anew, with
            content                             its unique-id
  damaged   content that cannot be read to      (with --deep also in the middle)
            its end
  orphan    content that no mailbox lists,      --repair removes it
            and that is not in the trash
  unlisted  content that one of its mailboxes   --rebuild lists it
            neither lists nor has removed: no
            problem, unless there are many

Large numbers of findings mean that an index was lost. They are not repaired without
--force. "check ADDRESS --rebuild" lists the lost entries again, except removed messages.
Rebuild before a repair: content that no mailbox lists is an orphan.

Messages younger than the in-flight window (cassandra.window, an hour; 15 minutes on a
single machine) may be deliveries in flight, and are not judged. The report counts young
messages, and names the moment from which they can be judged. --wait checks, waits until
all messages stored at the start can be judged, and checks once more.

^C stops the check; the same command then continues. Exit codes:

  0   all messages were judged (with --wait: all stored at the start), no problem is left
  1   problems are left, or the check failed or was stopped
  3   no problem was found, but some messages are too young to be judged
  64  wrong usage of the command

Any other code means that there is no result: see "popelago help exit-codes".`,
		Args: arguments("[ADDRESS]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.Address = args[0]
			}
			if err := checkUsage(o); err != nil {
				return err
			}
			return f.call(func(c *adminclient.Client) error {
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				once := func() (adminclient.Check, error) {
					check, err := runCheck(ctx, c, o, cmd.ErrOrStderr())
					if err != nil {
						return check, err
					}
					if f.json {
						return check, printJSON(cmd.OutOrStdout(), check)
					}
					return check, printCheck(cmd.OutOrStdout(), check)
				}
				check, err := once()
				if err != nil || !wait {
					return errors.Join(err, checkOutcome(check, check.Young > 0))
				}
				return checkAgain(ctx, check, once, cmd.ErrOrStderr())
			})
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.Repair, "repair", false, "repair problems that have one certain repair")
	flags.BoolVar(&o.Rebuild, "rebuild", false, "only list the lost entries of ADDRESS again")
	flags.BoolVar(&o.Deep, "deep", false, "read all octets of all contents")
	flags.BoolVar(&o.Force, "force", false, "with --repair: even if the number of findings exceeds the limit")
	flags.BoolVar(&wait, "wait", false, "wait until all messages stored now can be judged, and check once more")
	flags.BoolVar(&o.Restart, "restart", false, "begin from the start, even if the last check was stopped")
	return cmd
}

// checkUsage says which flags do not go together.
func checkUsage(o adminclient.CheckOptions) error {
	switch {
	case o.Rebuild && o.Address == "":
		return &usageError{"--rebuild needs an ADDRESS"}
	case o.Rebuild && (o.Repair || o.Deep || o.Force):
		return &usageError{"--rebuild goes without --repair, --deep and --force"}
	case o.Force && !o.Repair:
		return &usageError{"--force is for --repair"}
	}
	return nil
}

// runCheck starts a check on the server and waits for its end. It stops the check when ctx ends. If
// w is a terminal it shows the progress.
func runCheck(ctx context.Context, c *adminclient.Client, o adminclient.CheckOptions, w io.Writer) (adminclient.Check, error) {
	show := func(adminclient.Check) {}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		const begin = "\r\x1b[K" // of the line, which is emptied
		show = func(check adminclient.Check) { fmt.Fprint(w, begin, checkProgress(check)) }
		defer fmt.Fprint(w, begin)
	}
	check, err := c.StartCheck(ctx, o)
	started := check.Started
	for pause := 20 * time.Millisecond; err == nil && check.State == adminclient.CheckRunning; pause = min(2*pause, time.Second) {
		show(check)
		select {
		case <-time.After(pause):
			check, err = c.Check(ctx)
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			return c.StopCheck(end)
		}
		if err == nil && (check.Started == nil || !check.Started.Equal(*started)) {
			err = problem("the check was lost, perhaps by a restart of the server: the same command goes on from where it was")
		}
	}
	return check, err
}

// checkProgress describes the progress of a check in one line.
func checkProgress(check adminclient.Check) string {
	found := int64(0)
	for _, n := range check.Counts {
		found += n.Found
	}
	text := fmt.Sprintf("%s: %d entries, %d contents looked at", check.Phase, check.Entries, check.Contents)
	if found > 0 {
		text += fmt.Sprintf(", %d findings", found)
	}
	return text
}

// printCheck prints the findings of a check.
func printCheck(w io.Writer, check adminclient.Check) error {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	rows := [][]string{{"contents looked at", number(check.Contents)}}
	if check.Octets > 0 {
		rows = append(rows, []string{"octets read", number(check.Octets)})
	}
	rows = append(rows, []string{"too young to be judged", number(check.Young)})
	if check.Rebuild {
		rows = append(rows, []string{"kept away, removed before", number(check.Removed)})
	}
	if check.Resumed && check.Begun != nil {
		rows = append(rows, []string{"begun", when(*check.Begun) + ", and gone on with"})
	}
	if check.Young > 0 && check.JudgedFrom != nil {
		rows = append(rows, []string{"can be judged from", when(roundUp(*check.JudgedFrom))})
	}
	if err := printTable(w, []string{"entries looked at", number(check.Entries)}, rows); err != nil {
		return err
	}
	if len(check.Counts) == 0 {
		text := "nothing was found"
		switch all := check.Entries + check.Contents; {
		case check.Young > 0 && check.Young == all:
			text = "nothing was judged: all of it is too young"
		case check.Young > 0:
			text = fmt.Sprintf("nothing was found among the %d that are old enough", all-check.Young)
		}
		_, err := fmt.Fprintln(w, "\n"+text)
		return err
	}
	rows = nil
	for _, n := range check.Counts {
		rows = append(rows, []string{n.Kind, number(n.Found), number(n.Repaired), number(n.Held)})
	}
	fmt.Fprintln(w)
	if err := printTable(w, []string{"FINDING", "COUNT", "REPAIRED", "HELD BACK"}, rows); err != nil {
		return err
	}
	rows = nil
	for _, x := range check.Findings {
		whose := x.Address
		if whose == "" {
			whose = "-"
		}
		detail := x.Detail
		if x.Repaired {
			detail += " (repaired)"
		}
		rows = append(rows, []string{x.Kind, x.Message, whose, detail})
	}
	fmt.Fprintln(w)
	return printTable(w, []string{"FINDING", "MESSAGE", "ADDRESS", "WHAT"}, rows)
}

// checkOutcome returns the error for a check with problems or without an end. unsure says that
// relevant messages are too young to be judged.
func checkOutcome(check adminclient.Check, unsure bool) error {
	switch check.State {
	case adminclient.CheckFailed:
		return problem("the check failed: " + check.Error + "\nThe same command goes on from there")
	case adminclient.CheckStopped:
		return problem("the check was stopped; the same command goes on from there")
	}
	if check.Problems == 0 {
		if unsure {
			return newUnsureError(check)
		}
		return nil
	}
	text := fmt.Sprintf("there are problems that are not repaired: %d", check.Problems)
	var held int64
	for _, n := range check.Counts {
		held += n.Held
	}
	if held > 0 {
		text += fmt.Sprintf("\n%d are held back: in such numbers they tell that something was lost. Look for that first.", held)
	}
	return problem(text)
}
