package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"popelago/adminclient"
)

func newMaildropFetchCommand(f *remoteFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "fetch ADDRESS UNIQUE-ID [FILE]",
		Short: "Fetch a message, octet for octet as RETR sends it",
		Long: `Fetch a message, octet for octet as RETR sends it (without dot-stuffing), to standard output
or to FILE. FILE appears only when the whole message has arrived. The server logs the access.`,
		Args: arguments("ADDRESS", "UNIQUE-ID", "[FILE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(func(c *adminclient.Client) error {
				if len(args) < 3 {
					_, err := c.FetchMessage(cmd.Context(), args[0], args[1], cmd.OutOrStdout())
					return err
				}
				var n int64
				if err := writeWhole(cmd.Context(), args[2], func(ctx context.Context, w io.Writer) (err error) {
					n, err = c.FetchMessage(ctx, args[0], args[1], w)
					return err
				}); err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), map[string]any{"file": args[2], "octets": n}, "%d octets in %s", n, args[2])
			})
		},
	}
}

// writeWhole writes a file that only its owner may read. The file gets its name, durably, only after
// write has returned without error. A symbolic link stays, and its target is written. What exists and is no file, such as
// a device or a pipe, gets the text directly.
func writeWhole(ctx context.Context, name string, write func(context.Context, io.Writer) error) error {
	name, special, err := resolve(name)
	if err != nil {
		return withExit(exitConflict, err)
	}
	if special {
		return writeInto(ctx, name, write) // a signal ends the program: nothing may read from a pipe
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM) // nothing is left behind
	defer stop()
	file, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return withExit(exitConflict, err)
	}
	err = write(ctx, file)
	if err == nil {
		err = withExit(exitIO, file.Sync())
	}
	err = errors.Join(err, withExit(exitIO, file.Close()))
	if err == nil {
		err = withExit(exitConflict, os.Rename(file.Name(), name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// resolve follows symbolic links to a file that exists. special: the name leads to something else than a file.
func resolve(name string) (target string, special bool, err error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, false, nil
	case err != nil:
		return name, false, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if info, err = os.Stat(name); err != nil {
			return name, false, err
		}
		if info.Mode().IsRegular() { // /dev/stdout and the like lead to names that do not exist
			if name, err = filepath.EvalSymlinks(name); err != nil {
				return name, false, err
			}
		}
	}
	return name, !info.Mode().IsRegular(), nil
}

// writeInto writes into something that exists.
func writeInto(ctx context.Context, name string, write func(context.Context, io.Writer) error) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return withExit(exitConflict, err)
	}
	return errors.Join(write(ctx, file), withExit(exitIO, file.Close()))
}

func newMaildropPutCommand(f *remoteFlags) *cobra.Command {
	sender := ""
	cmd := &cobra.Command{
		Use:   "put ADDRESS [FILE]",
		Short: "Store a message in the maildrop of an account",
		Long: `Store a message, from FILE or from standard input, in the maildrop of an account. The message
takes the way of a message that arrives by LMTP: the same checks, a Received line, and the
lines Return-Path and Delivered-To. LF line ends become CRLF. A mailer can use the command for
local delivery; the exit codes say whether a mailer should try again:

  0   stored
  64  wrong usage                         (EX_USAGE)
  65  the text is refused, or too large   (EX_DATAERR)
  66  FILE cannot be read                 (EX_NOINPUT)
  67  no such account                     (EX_NOUSER)
  69  the account is disabled, or the server refuses the request  (EX_UNAVAILABLE)
  75  try again later                     (EX_TEMPFAIL)
  77  no permission to use the server     (EX_NOPERM)
  78  the configuration cannot be used    (EX_CONFIG)`,
		Example: "  popelago maildrop put alice@example.org message.eml --sender bob@example.net",
		Args: func(cmd *cobra.Command, args []string) error {
			return withExit(exitUsage, arguments("ADDRESS", "[FILE]")(cmd, args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := openInput(cmd, args[1:])
			if err != nil {
				return withExit(exitNoInput, err)
			}
			defer text.Close()
			read := &inputReader{Reader: text}
			err = f.call(func(c *adminclient.Client) error {
				put, err := c.PutMessage(cmd.Context(), args[0], sender, read)
				if err != nil {
					return err
				}
				return f.result(cmd.OutOrStdout(), put, "message %s stored in the maildrop of %s", put.UniqueID, args[0])
			})
			if read.err != nil {
				return withExit(exitNoInput, read.err)
			}
			return withExit(putExit(err), err)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return withExit(exitUsage, &usageError{flagFault(err)}) })
	cmd.Flags().StringVar(&sender, "sender", "", "the reverse-path, an `ADDRESS`; without it the null reverse-path")
	return cmd
}

// openInput opens the file that the arguments name; without a name, or for "-", standard input.
func openInput(cmd *cobra.Command, names []string) (io.ReadCloser, error) {
	if len(names) == 0 || names[0] == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return os.Open(names[0])
}

// inputReader keeps the first error of its reader, so that a file that cannot be read differs from a
// server that cannot be reached.
type inputReader struct {
	io.Reader
	err error
}

// Read implements io.Reader.
func (r *inputReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// putExit returns the exit code of a put. Unlike exitCode, putExit lets a mailer try again whenever the message may
// be stored later.
func putExit(err error) int {
	var refusal *adminclient.Error
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, adminclient.ErrNotPermitted):
		return exitNoPerm
	case isConfigError(err):
		return exitConfig
	case !errors.As(err, &refusal):
		return exitTemp // the server cannot be reached, or the outcome is unknown
	}
	switch status := refusal.Status; {
	case status == http.StatusNotFound:
		return exitNoUser
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return exitData
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return exitNoPerm
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
		return exitTemp
	}
	return exitUnavailable
}
