package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Login is a maildrop's user and password.
type Login struct {
	Name     string
	Password string
}

// Names returns the addresses "user1@example.test" and so on for pattern
// "user%d@example.test", from first to last.
func Names(pattern string, first, last int) ([]string, error) {
	if strings.Count(pattern, "%") != 1 || strings.Count(pattern, "%d") != 1 {
		return nil, fmt.Errorf("bench: pattern %q: want exactly one %%d, as in user%%d@example.test", pattern)
	}
	var names []string
	for i := first; i <= last; i++ {
		names = append(names, fmt.Sprintf(pattern, i))
	}
	return names, nil
}

// ReadPasswords reads lines of the form "user password", separated by blanks. The password extends
// to the end of the line. Empty lines and lines that begin with # are skipped.
func ReadPasswords(r io.Reader) (map[string]string, error) {
	passwords := make(map[string]string)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		user, password, ok := strings.Cut(line, " ")
		if password = strings.TrimLeft(password, " "); !ok || password == "" {
			return nil, fmt.Errorf("bench: password file, line %d: want \"user password\"", n)
		}
		passwords[user] = password
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("bench: password file: %w", err)
	}
	return passwords, nil
}

// validateLogins describes errors in words for the user.
func validateLogins(logins []Login) error {
	if len(logins) == 0 {
		return errors.New("bench: no users to log in")
	}
	for _, l := range logins {
		if err := validateName(l.Name); err != nil {
			return err
		}
		if l.Password == "" || strings.ContainsAny(l.Password, "\r\n\x00") {
			return fmt.Errorf("bench: user %q: want a password of one line", l.Name)
		}
	}
	return nil
}
