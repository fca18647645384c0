package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
)

// User returns the name of user i, from 1, and Password the password.
func User(i int) string     { return fmt.Sprintf("user%d@example.test", i) }
func Password(i int) string { return fmt.Sprintf("secret of user %d", i) }

// WritePasswords writes the password file of n users for "popelago bench".
func WritePasswords(path string, n int) error {
	var b bytes.Buffer
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "%s %s\n", User(i), Password(i))
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

// AddAccounts makes the domain and n users on the running Popelago of a data folder.
func AddAccounts(ctx context.Context, binary, data string, n int) error {
	if err := Run(ctx, nil, binary, "domain", "add", "example.test", "--data", data); err != nil {
		return err
	}
	return AddUsers(ctx, binary, data, 1, n)
}

// AddUsers makes the users from first to last.
func AddUsers(ctx context.Context, binary, data string, first, last int) error {
	for i := first; i <= last; i++ {
		err := Run(ctx, []byte(Password(i)+"\n"), binary, "account", "add", User(i), "--password-stdin", "--data", data)
		if err != nil {
			return err
		}
	}
	return nil
}
