package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// benchPasswordEnv names the environment variable with one password for all users.
const benchPasswordEnv = "POPELAGO_BENCH_PASSWORD"

// benchUsers holds the flags that name users.
type benchUsers struct {
	count   int
	first   int
	pattern string
	names   []string
	file    string
}

// add defines the flags.
func (u *benchUsers) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&u.count, "users", 80, "number of users made from --pattern")
	f.IntVar(&u.first, "first-user", 1, "number of the first user made from --pattern")
	f.StringVar(&u.pattern, "pattern", "user%d@example.test", "user names, with %d for the number")
	f.StringArrayVar(&u.names, "user", nil, "use this user instead; may be repeated")
	f.StringVar(&u.file, "users-file", "", "use the users in this file instead: the first word of each line (a password file will do)")
}

// list returns the users' names.
func (u *benchUsers) list() ([]string, error) {
	names := u.names
	if u.file != "" {
		f, err := os.Open(u.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if words := strings.Fields(lines.Text()); len(words) > 0 && words[0][0] != '#' {
				names = append(names, words[0])
			}
		}
		if len(names) == 0 {
			return nil, withExit(exitData, fmt.Errorf("%s: no users in it", u.file))
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	names, err := bench.Names(u.pattern, u.first, u.first+u.count-1)
	return names, withExit(exitUsage, err)
}

// benchPasswords holds the flags for passwords.
type benchPasswords struct {
	file  string
	stdin bool
}

// add defines the flags.
func (p *benchPasswords) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.file, "password-file", "", "file with lines \"user password\"")
	f.BoolVar(&p.stdin, "password-stdin", false, "read one password for all users from standard input")
}

// logins gives each user a password.
func (p *benchPasswords) logins(cmd *cobra.Command, names []string) ([]bench.Login, error) {
	of := make(map[string]string)
	common := os.Getenv(benchPasswordEnv)
	switch {
	case p.file != "":
		f, err := os.Open(p.file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if of, err = bench.ReadPasswords(f); err != nil {
			return nil, withExit(exitData, err)
		}
	case p.stdin:
		line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, withExit(exitNoInput, fmt.Errorf("read the password: %w", err))
		}
		common = strings.TrimRight(line, "\r\n")
	}
	logins := make([]bench.Login, len(names))
	for i, name := range names {
		password, ok := of[name]
		if !ok {
			password = common
		}
		if password == "" {
			return nil, withExit(exitUsage, fmt.Errorf("no password for %s: give --password-file, --password-stdin or %s", name, benchPasswordEnv))
		}
		logins[i] = bench.Login{Name: name, Password: password}
	}
	return logins, nil
}

// benchLogins combines the flags of users and passwords.
type benchLogins struct {
	users     benchUsers
	passwords benchPasswords
}

// add defines the flags.
func (l *benchLogins) add(cmd *cobra.Command) {
	l.users.add(cmd)
	l.passwords.add(cmd)
}

// list returns the users with their passwords.
func (l *benchLogins) list(cmd *cobra.Command) ([]bench.Login, error) {
	names, err := l.users.list()
	if err != nil {
		return nil, err
	}
	return l.passwords.logins(cmd, names)
}
