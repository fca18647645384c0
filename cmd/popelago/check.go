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
		Long: `Compare the entries of all mailboxes, or of one address, with the contents that are
stored, both ways. The server goes on working meanwhile. With several replicas all of
them are read; while one is away nothing is concluded.

What is found is one of these:

  dangling  an entry without content            --repair removes it
  mismatch  an entry that does not fit its      --repair stores the message anew, with
            content                             its unique-id
  damaged   content that cannot be read whole   (found also in the middle with --deep)
  orphan    content that no mailbox lists and   --repair removes it
            that waits for no removal
  unlisted  content that a mailbox it was for   --rebuild lists it
            neither lists nor removed: no
            problem, unless there are many

Whatever is found in such numbers that something must have been lost is held back: it is
only repaired with --force. Entries that were lost come back with "check ADDRESS
--rebuild", which does not list what was removed. Do that before a repair: content that
nobody lists is an orphan.

Messages younger than the in-flight window (cassandra.window, an hour; 15 minutes on a
single machine) may be deliveries under way, and are not judged. The report counts them
and names the moment from which they can be judged. --wait checks, waits until all that
was stored at the start can be judged, and checks once more.

^C stops the check; the same command then goes on from there. Exit codes:

  0  all was judged, and no problem is left; with --wait: all that was stored at the start
  1  there are problems that are not repaired, or the check failed or was stopped
  2  the command was called wrongly
  3  no problem was found, but some messages are too young to be judged`,
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
	flags.BoolVar(&o.Repair, "repair", false, "put right what can be put right without a doubt")
	flags.BoolVar(&o.Rebuild, "rebuild", false, "list what ADDRESS has lost, and do nothing else")
	flags.BoolVar(&o.Deep, "deep", false, "read all contents whole")
	flags.BoolVar(&o.Force, "force", false, "with --repair: whatever the numbers")
	flags.BoolVar(&wait, "wait", false, "wait until all that is stored now can be judged, and check once more")
	flags.BoolVar(&o.Restart, "restart", false, "begin anew instead of going on where the last check was stopped")
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
			err = errors.New("the check was lost, perhaps by a restart of the server: the same command goes on from where it was")
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
		return fmt.Errorf("the check failed: %s\nThe same command goes on from there", check.Error)
	case adminclient.CheckStopped:
		return errors.New("the check was stopped; the same command goes on from there")
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
	return errors.New(text)
}
