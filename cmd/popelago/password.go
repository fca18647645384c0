package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"popelago/adminclient"
	"popelago/mail"
)

// passwordFlags select the source of a new password: a prompt, or standard input. A password is
// never an argument: arguments appear in the list of processes and in the shell's history.
type passwordFlags struct {
	stdin bool
}

func (f *passwordFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.stdin, "password-stdin", false, "read the password, one line, from standard input")
}

// password asks for the new password of an account.
func (f *passwordFlags) password(cmd *cobra.Command, c *adminclient.Client, address string) (string, error) {
	if f.stdin {
		return readPassword(cmd.InOrStdin())
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !isTerminal(in) {
		return "", &usageError{"standard input is not a terminal: give the password with --password-stdin"}
	}
	// Better known before anybody types a password.
	if _, err := c.Health(cmd.Context()); errors.Is(err, adminclient.ErrNoServer) {
		return "", err
	}
	return promptPassword(in, cmd.ErrOrStderr(), address)
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// maxPasswordInput bounds standard input, in octets; the server accepts less.
const maxPasswordInput = 16 << 10

// readPassword reads a password from r, one line, and removes the line end.
func readPassword(r io.Reader) (string, error) {
	password, err := readPiped(r)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(password, "\r\n") {
		return "", withExit(exitData, errors.New("read the password: standard input holds more than one line"))
	}
	return password, checkTyped(password)
}

// readPiped reads a text from r, and removes the last line end.
func readPiped(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPasswordInput+1))
	switch {
	case err != nil:
		return "", withExit(exitNoInput, fmt.Errorf("read the password: %w", err))
	case len(text) > maxPasswordInput:
		return "", withExit(exitData, errors.New("read the password: too long"))
	}
	// Some shells put a byte order mark in front of piped text; mail programs never send it.
	return strings.TrimPrefix(strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), "\uFEFF"), nil
}

// checkTyped refuses a password with characters that a mail program could not send.
func checkTyped(password string) error {
	if err := mail.CheckUTF8(password); err != nil {
		return withExit(exitData, fmt.Errorf("read the password: %w: is the terminal or the program that wrote it set to another character set?", err))
	}
	return nil
}

// promptPassword asks twice on a terminal, without echo.
func promptPassword(in *os.File, out io.Writer, address string) (string, error) {
	first, err := promptLine(in, out, fmt.Sprintf("New password for %s: ", address))
	if err != nil {
		return "", err
	}
	second, err := promptLine(in, out, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", withExit(exitData, errors.New("the two passwords are not the same"))
	}
	return first, checkTyped(first)
}

func promptLine(in *os.File, out io.Writer, prompt string) (string, error) {
	restore, err := restoreOnInterrupt(in)
	if err != nil {
		return "", withExit(exitNoInput, fmt.Errorf("read the password: %w", err))
	}
	defer restore()
	fmt.Fprint(out, prompt)
	line, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(out)
	if err != nil {
		return "", withExit(exitNoInput, fmt.Errorf("read the password: %w", err))
	}
	return string(line), nil
}

// restoreOnInterrupt gives a terminal its echo back when a signal ends the program before
// done is called.
func restoreOnInterrupt(terminal *os.File) (done func(), err error) {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		select {
		case <-signals:
			_ = term.Restore(int(terminal.Fd()), state)
			fmt.Fprintln(os.Stderr)
			os.Exit(exitNoInput)
		case <-stopped:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(stopped)
	}, nil
}
