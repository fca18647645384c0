package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newRootCommand makes the tree of commands. Each call makes a new tree with its own flags.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "popelago",
		Short: "A mail store for POP3",
		Long: `Popelago is a mail store for POP3: mail comes in by LMTP and SMTP, stays in a
maildrop, and leaves by POP3.

For a first look:  popelago serve --dev`,
		Version:       versionText(),
		SilenceUsage:  true, // run prints errors
		SilenceErrors: true,
	}
	root.SetVersionTemplate("popelago {{.Version}}\n")
	asGroup(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{flagFault(err)} })
	bench := newBenchCommand()
	asGroup(bench)
	root.AddCommand(
		newServeCommand(),
		newConfigCommand(),
		newDomainCommand(),
		newAccountCommand(),
		newSelfCommand(),
		newImportCommand(),
		newExportCommand(),
		newApplyCommand(),
		newQuotaCommand(),
		newTokenCommand(),
		newServerCommand(),
		newSessionCommand(),
		newLogCommand(),
		newAliasCommand(),
		newGroupCommand(),
		newAddressCommand(),
		newTestCommand(),
		newTaskCommand(),
		newCheckCommand(),
		newClockCommand(),
		newLateCommand(),
		newAlarmCommand(),
		newEventCommand(),
		newMaildropCommand(),
		newTraceCommand(),
		newAuditCommand(),
		newSchemaCommand(),
		newDoctorCommand(),
		newProbeCommand(),
		bench,
		newVersionCommand(),
		newExitHelp(),
	)
	checkCompletion(root)
	return root
}

// checkCompletion makes cobra's commands "completion SHELL", with the same errors of usage as all commands.
func checkCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil || completion == root {
		return
	}
	asGroup(completion)
	for _, shell := range completion.Commands() {
		shell.Args = arguments()
	}
}

// newGroup makes a command that only has subcommands.
func newGroup(name, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short}
	asGroup(group)
	group.AddCommand(commands...)
	return group
}

// asGroup makes a command fail if its subcommand is missing or unknown; cobra's default would print
// help and succeed.
func asGroup(group *cobra.Command) {
	group.Args = cobra.ArbitraryArgs
	group.SuggestionsMinimumDistance = 2 // letters wrong
	group.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return &usageError{"a command is missing: " + strings.Join(commandNames(cmd), ", ")}
		}
		text := "there is no command " + quoted(args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			text += " (do you mean " + strings.Join(near, ", ") + "?)"
		}
		return &usageError{text}
	}
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}
