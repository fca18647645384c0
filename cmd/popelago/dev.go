package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"popelago/app"
	"popelago/mail"
)

// devDomain and devNames are the domain and the accounts that the first start of "serve --dev"
// makes.
const devDomain = "example.test"

func devNames() []string { return []string{"alice", "bob"} }

// devPasswords is a file in the data folder with a line "address password" for each account that
// was made. While the file exists no accounts are made: the operator may have removed them.
const devPasswords = "dev-passwords.txt"

// devUser is an account made by "serve --dev".
type devUser struct {
	address  mail.Address
	password string
}

// makeDevAccounts makes the accounts of a first start. It returns the accounts that this start or
// an earlier one made and that still exist.
//
// The passwords are written to a temporary file first, so that an interrupted start can be repeated
// with the same passwords.
func makeDevAccounts(ctx context.Context, a *app.App, dataDir string) ([]devUser, error) {
	file := filepath.Join(dataDir, devPasswords)
	users, err := readDevPasswords(file)
	if err == nil {
		return onlyLive(ctx, a, users)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	begun := file + ".new"
	users, err = readDevPasswords(begun)
	if errors.Is(err, fs.ErrNotExist) {
		if users, err = newDevUsers(ctx, a); err == nil {
			err = writeDevPasswords(begun, users)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := addDevUsers(ctx, a, users); err != nil {
		return nil, err
	}
	return users, os.Rename(begun, file)
}

// newDevUsers chooses passwords for the accounts that do not exist yet.
func newDevUsers(ctx context.Context, a *app.App) ([]devUser, error) {
	there, err := devAddresses(ctx, a)
	if err != nil {
		return nil, err
	}
	var users []devUser
	for _, name := range devNames() {
		address := mail.Address{Local: name, Domain: devDomain}
		if !there[address] {
			users = append(users, devUser{address, rand.Text()})
		}
	}
	return users, nil
}

func addDevUsers(ctx context.Context, a *app.App, users []devUser) error {
	dir := a.Directory()
	if hosted, err := devDomainHosted(ctx, a); err != nil {
		return err
	} else if !hosted {
		if _, err := dir.AddDomain(ctx, devDomain); err != nil {
			return err
		}
	}
	there, err := devAddresses(ctx, a)
	if err != nil {
		return err
	}
	for _, u := range users {
		if there[u.address] {
			continue
		}
		if _, err := dir.AddAccount(ctx, u.address, u.password); err != nil {
			return err
		}
	}
	return nil
}

func devDomainHosted(ctx context.Context, a *app.App) (bool, error) {
	domains, err := a.Directory().ListDomains(ctx)
	if err != nil {
		return false, err
	}
	for _, d := range domains {
		if d.Name == devDomain {
			return true, nil
		}
	}
	return false, nil
}

// devAddresses returns the accounts of devDomain; none if the domain is not hosted.
func devAddresses(ctx context.Context, a *app.App) (map[mail.Address]bool, error) {
	there := map[mail.Address]bool{}
	hosted, err := devDomainHosted(ctx, a)
	if err != nil || !hosted {
		return there, err
	}
	for after, first := "", true; first || after != ""; first = false {
		accounts, next, err := a.Directory().Accounts(ctx, devDomain, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, acc := range accounts {
			there[acc.Address] = true
		}
		after = next
	}
	return there, nil
}

func onlyLive(ctx context.Context, a *app.App, users []devUser) ([]devUser, error) {
	there, err := devAddresses(ctx, a)
	if err != nil {
		return nil, err
	}
	var live []devUser
	for _, u := range users {
		if there[u.address] {
			live = append(live, u)
		}
	}
	return live, nil
}

// readDevPasswords reads a file of lines "address password", and skips all other lines: users may
// edit the file.
func readDevPasswords(file string) ([]devUser, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var users []devUser
	for line := range strings.Lines(string(text)) {
		login, password, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if address, err := mail.ParseAddress(login); err == nil && password != "" {
			users = append(users, devUser{address.Canonical(), password})
		}
	}
	return users, nil
}

// writeDevPasswords writes the file whole or not at all.
func writeDevPasswords(file string, users []devUser) error {
	var text bytes.Buffer
	for _, u := range users {
		fmt.Fprintf(&text, "%s %s\n", u.address, u.password)
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text.Bytes())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
