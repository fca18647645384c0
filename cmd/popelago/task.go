package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

func newTaskCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("task", "See and steer the background work of the servers",
		newTaskListCommand(f), newTaskRunCommand(f), newTaskCancelCommand(f), newTaskHistoryCommand(f))
	f.add(cmd)
	return cmd
}

func newTaskListCommand(f *remoteFlags) *cobra.Command {
	q := adminclient.TaskQuery{Everywhere: true}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the background jobs of all servers with their last runs",
		Long: `List the background jobs of all servers with their last runs. The exit code is 1 if a server did
not answer: standard error names the server and the reason.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				list, err := c.TasksOf(cmd.Context(), q)
				if err != nil {
					return err
				}
				return f.showParts(cmd, list, list.Parts, func(w io.Writer) error { return printTasks(w, list) })
			})
		},
	}
	addSelection(cmd.Flags(), &q.Server, &q.Datacenter)
	return cmd
}

// printTasks prints the tasks, with their server if several were asked.
func printTasks(w io.Writer, list adminclient.TaskList) error {
	heading := []string{"TASK", "STATE", "ENDED", "NEXT", "LAST"}
	rows := make([][]string, len(list.Tasks))
	several := len(list.Servers) > 1
	for i, t := range list.Tasks {
		rows[i] = []string{mail.Printable(t.Name), taskState(t), whenOrNever(t.Ended), whenOrNever(t.Next), mail.Printable(taskReport(t))}
		if several {
			rows[i] = append([]string{mail.Printable(t.Server)}, rows[i]...)
		}
	}
	if several {
		heading = append([]string{"SERVER"}, heading...)
	}
	return printTable(w, heading, rows)
}

func newTaskCancelCommand(f *remoteFlags) *cobra.Command {
	server := ""
	cmd := &cobra.Command{
		Use:   "cancel TASK",
		Short: "End the run in progress of a background job",
		Long: `End the run in progress of a background job, between two steps. The next run goes on with the
rest. The history says that the run was cancelled. The command may be repeated.`,
		Args: arguments("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				out, err := c.CancelTask(cmd.Context(), server, args[0])
				if err != nil {
					return err
				}
				text := "%s is cancelled"
				if !out.Cancelled {
					text = "no run of %s is in progress"
				}
				return f.result(cmd.OutOrStdout(), out, text, args[0])
			})
		},
	}
	addServer(cmd, &server)
	return cmd
}

// addServer defines the flag that selects one server.
func addServer(cmd *cobra.Command, server *string) {
	cmd.Flags().StringVar(server, "on", "", "on the server with this `NAME` or host name, see \"server list\"; without it on the server that answers")
}

func newTaskHistoryCommand(f *remoteFlags) *cobra.Command {
	q := adminclient.TaskQuery{Everywhere: true, History: true}
	cmd := &cobra.Command{
		Use:   "history [TASK]",
		Short: "List the last runs of background jobs, the latest first",
		Long: `List the last runs of background jobs of all servers, the latest first: as many as tasks.history
for each job and server. Runs on schedule that had nothing to do are left out.`,
		Args: arguments("[TASK]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				list, err := c.TasksOf(cmd.Context(), q)
				if err != nil {
					return err
				}
				if len(args) > 0 {
					list.Tasks = slices.DeleteFunc(list.Tasks, func(t adminclient.Task) bool { return t.Name != args[0] })
					if len(list.Tasks) == 0 && list.Complete {
						return withExit(exitNoUser, fmt.Errorf("%s: no such background job", quoted(args[0])))
					}
				}
				return f.showParts(cmd, list, list.Parts, func(w io.Writer) error { return printHistory(w, list.Tasks) })
			})
		},
	}
	addSelection(cmd.Flags(), &q.Server, &q.Datacenter)
	return cmd
}

func printHistory(w io.Writer, tasks []adminclient.Task) error {
	type run struct {
		task adminclient.Task
		adminclient.PastRun
	}
	var runs []run
	for _, t := range tasks {
		for _, p := range t.History {
			runs = append(runs, run{t, p})
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int { return b.Ended.Compare(a.Ended) })
	rows := make([][]string, len(runs))
	for i, r := range runs {
		why := "schedule"
		if r.Asked {
			why = "request"
		}
		report := describeRun(r.Result, r.Error, r.Report)
		rows[i] = []string{when(r.Ended), r.Ended.Sub(r.Started).Round(time.Millisecond).String(), r.task.Name, why, mail.Printable(report), mail.Printable(r.task.Server)}
	}
	return printTable(w, []string{"ENDED", "TOOK", "TASK", "WHY", "RESULT", "SERVER"}, rows)
}

func newTaskRunCommand(f *remoteFlags) *cobra.Command {
	var noWait bool
	server := ""
	cmd := &cobra.Command{
		Use:   "run TASK",
		Short: "Run a background job now",
		Long: `Run a background job now: the server's share of it, if several servers share a cluster.

The command waits for the end, and fails (exit code 1) if the job fails. After ^C the job goes on.`,
		Args: arguments("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				run, err := c.RunTaskOn(cmd.Context(), server, args[0], !noWait)
				if err != nil {
					return err
				}
				if !run.Done {
					return f.result(cmd.OutOrStdout(), run, "%s will run", run.Name)
				}
				if err := f.result(cmd.OutOrStdout(), run, "%s: %s", run.Name, taskReport(run.Task)); err != nil {
					return err
				}
				if run.Result != "ok" {
					return problem("the work is not done")
				}
				return nil
			})
		},
	}
	addServer(cmd, &server)
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the end")
	return cmd
}

func taskState(t adminclient.Task) string {
	switch {
	case t.Running && len(t.Progress) > 0:
		return "running, " + describeRun("ok", "", t.Progress) + " so far"
	case t.Running:
		return "running"
	case t.Every == "":
		return "on request"
	}
	return "waiting"
}

// taskReport describes the last run in one line.
func taskReport(t adminclient.Task) string {
	if t.Result == "" {
		return "-"
	}
	return describeRun(t.Result, t.Error, t.Report)
}

// describeRun describes the result of a run in one line.
func describeRun(result, failure string, report []adminclient.TaskCount) string {
	var parts []string
	if result != "ok" {
		parts = append(parts, result+": "+failure)
	}
	for _, c := range report {
		parts = append(parts, fmt.Sprintf("%s %d", c.Name, c.Count))
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

func whenOrNever(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return when(*t)
}
