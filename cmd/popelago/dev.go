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

// devDomain and devNames are what "serve --dev" makes on its first start.
const devDomain = "example.test"

func devNames() []string { return []string{"alice", "bob"} }

// devPasswords is the file in the data folder with a line "address password" for each account
// made. While it is there no accounts are made: the operator may have removed them.
const devPasswords = "dev-passwords.txt"

// devUser is an account made by "serve --dev".
type devUser struct {
	address  mail.Address
	password string
}

// makeDevAccounts makes the accounts of a first start. It returns those that it made, now or
// before, and that are still there.
//
// The passwords are written to a file of another name first, so that a start cut short here
// is taken up again with the same ones.
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

// newDevUsers chooses passwords for the accounts that are not there yet.
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

// devAddresses are the accounts of devDomain, none if it is not hosted.
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

// readDevPasswords reads a file of lines "address password". Lines of another form are left
// out: people may write into it.
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
