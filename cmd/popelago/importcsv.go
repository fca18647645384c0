package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"popelago/adminclient"
	"popelago/mail"
)

// Columns of a file of users, beside the settings of accounts.
const (
	columnAddress  = "address"
	columnPassword = "password"
	columnHash     = "password_hash"
	columnState    = "state"
)

// userLine is a line of a file of users.
type userLine struct {
	number  int
	account adminclient.ImportedAccount
	// refusal is the reason for sending nothing; empty: the line is sent.
	refusal string
}

// maxUserLine limits the octets of a user in a request.
const maxUserLine = 16 << 10

// readUsers reads a file of users: a header, and a user on each line. A line is a record, unless a quoted field goes
// on in the next lines, see recordAt. A faulty line, such as a line whose quotation never ends, costs the line alone.
// A byte order mark, and CRLF as line end, are no part of the fields. settings are the names of the settings
// of accounts. Errors: about the header, or about characters; no error quotes a field.
func readUsers(text []byte, settings []string) ([]userLine, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	lines := strings.Split(string(text), "\n")
	header, comma, at := []string(nil), ',', 0
	for header == nil {
		if at == len(lines) {
			return nil, errors.New("the file has no header line, such as: address,password,quota")
		}
		line := strings.TrimSuffix(lines[at], "\r")
		if at++; strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.Contains(line, ",") && strings.Contains(line, ";") {
			comma = ';' // as some spreadsheets write it
		}
		var err error
		if header, err = fieldsOf(line, comma); err != nil {
			return nil, fmt.Errorf("line %d, the header: %w", at, err)
		}
		if err := checkHeader(header, settings); err != nil {
			return nil, fmt.Errorf("line %d, the header: %w", at, err)
		}
	}
	var users []userLine
	first := map[mail.Address]int{}
	for ; at < len(lines); at++ {
		line := strings.TrimSuffix(lines[at], "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		number := at + 1
		if whole, last := recordAt(lines, at, comma, len(header)); last > at {
			line, at = whole, last
		}
		u := userOf(line, comma, header)
		u.number = number
		if a, err := mail.ParseAddress(u.account.Address); err == nil {
			if n, twice := first[a.Canonical()]; twice {
				u.refusal = fmt.Sprintf("line %d has the same address", n)
			} else {
				first[a.Canonical()] = u.number
			}
		}
		users = append(users, u)
	}
	return users, nil
}

// recordAt returns the record that begins in a line, and its last line: the line itself, or more lines if a quoted
// field contains line ends and the record has as many fields as the header. So no rest of a field counts as a user.
func recordAt(lines []string, at int, comma rune, fields int) (record string, last int) {
	odd := func(i int) bool { return strings.Count(lines[i], `"`)%2 == 1 }
	if record = lines[at]; !odd(at) {
		return record, at
	}
	for last = at + 1; last < len(lines) && !odd(last); last++ {
	}
	if last == len(lines) {
		return record, at
	}
	whole := strings.TrimSuffix(strings.Join(lines[at:last+1], "\n"), "\r")
	if got, err := fieldsOf(whole, comma); err != nil || len(got) != fields {
		return record, at
	}
	return whole, last
}

// fieldsOf splits a record. Errors never quote the record.
func fieldsOf(line string, comma rune) ([]string, error) {
	if err := mail.CheckUTF8(line); err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = comma
	fields, err := r.Read()
	if err != nil {
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, err
	}
	if _, err := r.Read(); err != io.EOF {
		return nil, errors.New("a carriage return inside of the line")
	}
	return fields, nil
}

// checkHeader brings the names of the columns into their form. Errors quote names only from a line with the column address:
// another first line may be a user with a password.
func checkHeader(header, settings []string) error {
	known := append([]string{columnAddress, columnPassword, columnHash, columnState}, settings...)
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
	}
	if !slices.Contains(header, columnAddress) {
		return errors.New("the column address is missing; the first line names the columns, such as: address,password,quota")
	}
	for i, name := range header {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("%s is no column: %s, or a setting of \"popelago account settings\"", quoted(name), strings.Join(known[:4], ", "))
		case slices.Contains(header[:i], name):
			return fmt.Errorf("the column %s is there twice", name)
		}
	}
	return nil
}

// userOf reads a line. An empty field leaves a part of the account unchanged.
func userOf(line string, comma rune, header []string) (u userLine) {
	fields, err := fieldsOf(line, comma)
	switch {
	case err != nil:
		u.refusal = err.Error()
		return u
	case len(fields) != len(header):
		u.refusal = fmt.Sprintf("%d fields, and the header has %d", len(fields), len(header))
		return u
	}
	for i, name := range header {
		switch value := fields[i]; name {
		case columnAddress:
			u.account.Address = strings.TrimSpace(value)
		case columnPassword:
			u.account.Password = value
		case columnHash:
			u.account.PasswordHash = strings.TrimSpace(value)
		case columnState:
			u.account.State = strings.ToLower(strings.TrimSpace(value))
		default:
			if value = strings.TrimSpace(value); value != "" {
				if u.account.Settings == nil {
					u.account.Settings = map[string]string{}
				}
				u.account.Settings[name] = value
			}
		}
	}
	switch state := u.account.State; {
	case u.account.Address == "":
		u.refusal = "the address is missing"
	case state != "" && state != adminclient.Enabled && state != adminclient.Disabled:
		u.refusal = fmt.Sprintf("%s is not a state: %s or %s", quoted(state), adminclient.Enabled, adminclient.Disabled)
	case userSize(u.account) > maxUserLine:
		u.refusal = "the line is too long"
	}
	return u
}

// userSize returns the octets of a user in a request.
func userSize(a adminclient.ImportedAccount) int {
	text, err := json.Marshal(a)
	if err != nil {
		return maxUserLine + 1
	}
	return len(text)
}
