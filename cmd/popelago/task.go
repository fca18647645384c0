package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newTaskCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("task", "Look at the background work of a running server",
		newTaskListCommand(f), newTaskRunCommand(f))
	f.add(cmd)
	return cmd
}

func newTaskListCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the background jobs of this server with their last runs",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.call(func(c *adminclient.Client) error {
				tasks, err := c.Tasks(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), tasks)
				}
				rows := make([][]string, len(tasks))
				for i, t := range tasks {
					rows[i] = []string{t.Name, taskState(t), whenOrNever(t.Ended), whenOrNever(t.Next), taskReport(t)}
				}
				return printTable(cmd.OutOrStdout(), []string{"TASK", "STATE", "ENDED", "NEXT", "LAST"}, rows)
			})
		},
	}
}

func newTaskRunCommand(f *remoteFlags) *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use:   "run TASK",
		Short: "Run a background job now",
		Long: `Run a background job now: this server's share of it, if several servers share a cluster.

The command waits for the end, and fails (exit code 1) if the job fails. After ^C the job goes on.`,
		Args: arguments("TASK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				run, err := c.RunTask(cmd.Context(), args[0], !noWait)
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
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the end")
	return cmd
}

func taskState(t adminclient.Task) string {
	switch {
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
	var parts []string
	if t.Result != "ok" {
		parts = append(parts, t.Result+": "+t.Error)
	}
	for _, c := range t.Report {
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
