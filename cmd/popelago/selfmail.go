package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

// asUser calls the server with the address and the password of an account.
func (f *remoteFlags) asUser(cmd *cobra.Command, p *passwordFlags, address string, do func(*adminclient.Client) error) error {
	return f.call(func(c *adminclient.Client) error {
		password, err := p.ownPassword(cmd, address)
		if err != nil {
			return err
		}
		return do(c.AsUser(address, password))
	})
}

func newSelfPasswordCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{
		Use:   "password ADDRESS",
		Short: "Change the password of the own account",
		Long: `Change the password of the own account. Open sessions go on. With --password-stdin, standard input
holds two lines: the present password, and the new password.`,
		Args: arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				present, anew, err := p.presentAndNew(cmd, args[0])
				if err != nil {
					return err
				}
				if err := c.AsUser(args[0], present).SetOwnPassword(cmd.Context(), anew); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), struct{}{}, "password of %s changed", args[0])
			})
		},
	}
	p.add(cmd)
	return cmd
}

// presentAndNew asks for the present and the new password of an account.
func (f *passwordFlags) presentAndNew(cmd *cobra.Command, address string) (present, anew string, err error) {
	if !f.stdin {
		if present, err = f.ownPassword(cmd, address); err == nil {
			anew, err = promptPassword(cmd.InOrStdin().(*os.File), cmd.ErrOrStderr(), address) // a terminal, see ownPassword
		}
		return present, anew, err
	}
	text, err := readPiped(cmd.InOrStdin())
	if err != nil {
		return "", "", err
	}
	present, anew, ok := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if !ok || strings.ContainsAny(anew, "\r\n") {
		return "", "", withExit(exitData, errors.New("read the passwords: standard input needs two lines, the present and the new password"))
	}
	return present, anew, checkTyped(present + anew)
}

func newSelfSessionsCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	cmd := &cobra.Command{
		Use:   "sessions ADDRESS",
		Short: "List the open sessions of the own account, on all servers",
		Long: `List the open sessions of the own account, on all servers, the oldest first. The exit code is 1 if a server
did not answer.`,
		Args: arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.asUser(cmd, &p, args[0], func(c *adminclient.Client) error {
				list, err := c.OwnSessions(cmd.Context())
				if err != nil {
					return err
				}
				return f.showSessions(cmd, list)
			})
		},
	}
	p.add(cmd)
	return cmd
}

func newSelfDisconnectCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	var end adminclient.OwnSessionEnd
	cmd := &cobra.Command{
		Use:   "disconnect ADDRESS [SESSION]",
		Short: "End sessions of the own account, on whatever server they are",
		Long: `End one session of the own account, or all of them with --all. A session that ends so removes nothing,
unless its QUIT is in progress. The exit code is 1 if a server did not answer.`,
		Args: arguments("ADDRESS", "[SESSION]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				end.ID = args[1]
			}
			if (end.ID == "") != end.All {
				return &usageError{"name a SESSION, or --all"}
			}
			return f.asUser(cmd, &p, args[0], func(c *adminclient.Client) error {
				ended, err := c.EndOwnSessions(cmd.Context(), end)
				if err != nil {
					return err
				}
				return f.showEnded(cmd, ended)
			})
		},
	}
	p.add(cmd)
	cmd.Flags().BoolVar(&end.All, "all", false, "end all sessions of the account")
	return cmd
}

func newSelfRemovedCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	limit, after := 0, ""
	cmd := &cobra.Command{
		Use:   "removed ADDRESS",
		Short: "List the removed messages of the own account that can be restored",
		Args:  arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.asUser(cmd, &p, args[0], func(c *adminclient.Client) error {
				list, err := c.OwnRemovedMessages(cmd.Context(), after, limit)
				return f.showRemoved(cmd, list, err)
			})
		},
	}
	p.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "list at most this `NUMBER` of messages, up to 1000 (default 200)")
	cmd.Flags().StringVar(&after, "after", "", afterRemovedHelp)
	return cmd
}

func newSelfRestoreCommand(f *remoteFlags) *cobra.Command {
	var p passwordFlags
	var since, before sinceFlag
	var all bool
	cmd := &cobra.Command{
		Use:   "restore ADDRESS [UNIQUE-ID...]",
		Short: "Bring removed messages back into the own maildrop",
		Long: `Bring removed messages back into the own maildrop, under their unique-ids: those named, all that
"self removed" lists (--all), or those removed since a moment (--since). The command may be repeated.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{"ADDRESS is missing"}
			}
			return checkTexts(args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			requests, err := restores(args[1:], all, since, before)
			if err != nil {
				return err
			}
			return f.asUser(cmd, &p, args[0], func(c *adminclient.Client) error {
				return restoreAll(cmd, f, args[0], requests, c.RestoreOwn)
			})
		},
	}
	p.add(cmd)
	since.add(cmd)
	before.addBefore(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "restore all removed messages")
	return cmd
}
