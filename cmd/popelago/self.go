package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"popelago/adminclient"
)

func newSelfCommand() *cobra.Command {
	f := &remoteFlags{}
	cmd := newGroup("self", "Change the own account, with its address and password", newSelfRetentionCommand(f), newSelfPasswordCommand(f),
		newSelfSessionsCommand(f), newSelfDisconnectCommand(f), newSelfRemovedCommand(f), newSelfRestoreCommand(f))
	f.add(cmd)
	return cmd
}

func newSelfRetentionCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{
		Use:   "retention ADDRESS [RETENTION]",
		Short: "Show or choose the age at which messages of the own account expire",
		Long: `Show or choose the age at which messages of the own account expire: days such as 90d, hours such as 36h,
forever, or domain for the retention of the domain. The domain sets the bounds. Older messages disappear
at once. The password is the password for POP3; a token is not needed, and has no effect.`,
		Example: "  popelago self retention alice@example.org 90d --server https://mail.example.org:8443",
		Args:    arguments("ADDRESS", "[RETENTION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				password, err := p.ownPassword(cmd, args[0])
				if err != nil {
					return err
				}
				c = c.AsUser(args[0], password)
				var r adminclient.OwnRetention
				if len(args) == 2 {
					r, err = c.SetOwnRetention(cmd.Context(), args[1])
				} else {
					r, err = c.OwnRetention(cmd.Context())
				}
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), r, "retention of %s: %s, %s", r.Address, r.InForce, choiceOf(r))
			})
		},
	}
	p.add(cmd)
	return cmd
}

// choiceOf describes the choice that a domain leaves to its users.
func choiceOf(r adminclient.OwnRetention) string {
	if !r.Free {
		return "set by the administrator"
	}
	return "possible: " + r.Least + " to " + r.Greatest
}

// ownPassword asks for the present password of an account, once.
func (f *passwordFlags) ownPassword(cmd *cobra.Command, address string) (string, error) {
	if f.stdin {
		return readPassword(cmd.InOrStdin())
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", &usageError{"standard input is not a terminal: give the password with --password-stdin"}
	}
	return promptLine(in, cmd.ErrOrStderr(), "Password of "+address+": ")
}
