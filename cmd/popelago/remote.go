package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/config"
)

// remoteFlags select the server of a command, and the form of the output.
type remoteFlags struct {
	settingsFlags
	server    string
	tokenFile string
	json      bool
	// ifMatch is the entity-tag that a change needs; empty: any.
	ifMatch string
}

// add defines the flags for cmd and all commands below it.
func (f *remoteFlags) add(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	f.settingsFlags.add(flags)
	flags.StringVar(&f.server, "server", "", "talk to the server at this `URL` instead of the one of the data folder")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with the token for --server")
	flags.BoolVar(&f.json, "json", false, "print JSON, for programs")
}

// addIfMatch defines the flag of a command that changes an account, a domain, an alias or a group.
func (f *remoteFlags) addIfMatch(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&f.ifMatch, "if-match", "", "change nothing unless the account, domain, alias or group has this `TAG`, see \"settings --tag\" and \"show --json\"")
	return cmd
}

// call runs do with a client of the server that the flags select.
func (f *remoteFlags) call(do func(*adminclient.Client) error) error {
	c, start, err := f.client()
	if err != nil {
		return err
	}
	defer c.Close()
	if f.ifMatch != "" {
		c = c.IfMatch(f.ifMatch)
	}
	err = do(c)
	if start != "" && errors.Is(err, adminclient.ErrNoServer) {
		return fmt.Errorf("%w\nIs it running? To start it: %s", err, start)
	}
	return err
}

// client makes the client. start is the command line that starts the server; empty if unknown.
func (f *remoteFlags) client() (c *adminclient.Client, start string, err error) {
	if f.server == "" {
		if f.tokenFile != "" {
			return nil, "", &usageError{"--token-file is for --server URL"}
		}
		cfg, err := f.load()
		if err != nil {
			return nil, "", err
		}
		return adminclient.Unix(cfg.AdminSocket()), f.serveCommand(), nil
	}
	if f.data != "" || f.file != "" {
		return nil, "", &usageError{"--server goes without --data and --config"}
	}
	token := ""
	if f.tokenFile != "" {
		if token, err = config.ReadSecret(f.tokenFile); err != nil {
			return nil, "", err
		}
	}
	c, err = adminclient.HTTP(f.server, token)
	if err != nil {
		return nil, "", &usageError{err.Error()}
	}
	return c, "", nil
}
