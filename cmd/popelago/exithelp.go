package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exitMeaning describes an exit code, for people.
type exitMeaning struct {
	code int
	name string // in sysexits.h; empty: none
	text string
}

// exitMeanings returns a row for each exit code, in ascending order. A test compares the rows with
// docs/administration.md.
func exitMeanings() []exitMeaning {
	return []exitMeaning{
		{exitOK, "", "done"},
		{exitProblems, "", "the command did its work and reports problems: findings of check, doctor, maildrop verify, bench and probe, " +
			"a check or a job that failed or was stopped, messages that could not be removed or restored, sessions that were cut off"},
		{exitUnsure, "", "check: no problem was found, but some messages are too young to be judged"},
		{exitUsage, "EX_USAGE", "wrong usage of the command"},
		{exitData, "EX_DATAERR", "a value cannot be used: an address, a password, a setting, the text of a message"},
		{exitNoInput, "EX_NOINPUT", "a file or the input is missing or cannot be read"},
		{exitNoUser, "EX_NOUSER", "no such account, domain, message, token or job"},
		{exitUnavailable, "EX_UNAVAILABLE", "no server answers, or its answer cannot be used; maildrop put: the account is disabled, or the server refuses the request"},
		{exitSoftware, "EX_SOFTWARE", "an internal error, or stored data is damaged: see the log of the server"},
		{exitOS, "EX_OSERR", "serve: an address cannot be listened on"},
		{exitConflict, "EX_CANTCREAT", "exists already, contradicts the present state, or a file cannot be made"},
		{exitIO, "EX_IOERR", "the disk or the maildrop is full, or the output cannot be written"},
		{exitTemp, "EX_TEMPFAIL", "try again later: storage trouble, absent nodes, a stopping server, too many requests, a data folder in use"},
		{exitNoPerm, "EX_NOPERM", "no valid token, no right, or no access to the socket or the cluster"},
		{exitConfig, "EX_CONFIG", "the configuration or a file that it names cannot be used, others may read a secret, or the schema must be applied first"},
	}
}

// newExitHelp returns the help topic "popelago help exit-codes".
func newExitHelp() *cobra.Command {
	var text strings.Builder
	text.WriteString("The exit codes of all commands. Codes from 64 on are those of sysexits.h.\n")
	for _, m := range exitMeanings() {
		fmt.Fprintf(&text, "\n%3d  %s", m.code, m.text)
		if m.name != "" {
			fmt.Fprintf(&text, " (%s)", m.name)
		}
	}
	return &cobra.Command{Use: "exit-codes", Short: "The exit codes of all commands", Long: text.String()}
}
