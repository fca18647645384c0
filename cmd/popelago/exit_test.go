package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"popelago/adminclient"
	"popelago/app"
	"popelago/config"
)

// Errors of a class have the exit code of the class, wrapped or not.
func TestExitCodes(t *testing.T) {
	missing := &fs.PathError{Op: "open", Path: "none", Err: fs.ErrNotExist}
	full := &fs.PathError{Op: "write", Path: "/dev/stdout", Err: errors.New("no space left on device")}
	status := func(s int) error { return &adminclient.Error{Status: s} }
	seen := map[int]bool{}
	for _, tt := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{withExit(exitProblems, errors.New("found")), 1},
		{errors.Join(nil, &unsureError{"young"}), 3},
		{&usageError{"wrong"}, 64},
		{status(400), 65},
		{status(413), 65},
		{status(422), 65},
		{missing, 66},
		{status(404), 67},
		{fmt.Errorf("%w at %s: %w", adminclient.ErrNoServer, "admin.sock", missing), 69},
		{fmt.Errorf("%w: %w", adminclient.ErrNoAnswer, io.ErrUnexpectedEOF), 69},
		{status(302), 69},
		{status(405), 69},
		{status(500), 70},
		{errors.New("unforeseen"), 70},
		{app.ErrListen, 71},
		{status(409), 73},
		{status(412), 73},
		{app.ErrFull, 74},
		{full, 74},
		{status(507), 74},
		{status(429), 75},
		{status(503), 75},
		{app.ErrUnavailable, 75},
		{app.ErrLocked, 75},
		{app.ErrNodesDown, 75},
		{app.ErrMixedReleases, 75},
		{app.ErrSchemaUnfinished, 75},
		{context.DeadlineExceeded, 75},
		{status(401), 77},
		{status(403), 77},
		{adminclient.ErrNotPermitted, 77},
		{fmt.Errorf("%w: %w", app.ErrSchemaUnfinished, app.ErrNotAllowed), 77},
		{&config.Error{}, 78},
		{config.ErrNotPrivate, 78},
		{app.ErrSchemaNotApplied, 78},
		{app.ErrSchemaNewer, 78},
		{app.ErrSchemaLayout, 78},
		{app.ErrOtherProduct, 78},
		{app.ErrNewerFormat, 78},
		{&app.SettingError{Err: missing}, 78},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if code := exitCode(err); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", err, code, tt.code)
		}
		seen[tt.code] = true
	}
	for _, m := range exitMeanings() {
		if !seen[m.code] {
			t.Errorf("exit code %d is documented, and no error has it", m.code)
		}
		delete(seen, m.code)
	}
	for code := range seen {
		t.Errorf("exit code %d is not documented", code)
	}
}

// A mailer bounces a message that put refuses for good, and keeps a message that may be stored later.
func TestPutExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{&usageError{"wrong"}, 64},
		{&adminclient.Error{Status: 400}, 65},
		{&adminclient.Error{Status: 413}, 65},
		{&adminclient.Error{Status: 422}, 65},
		{&adminclient.Error{Status: 404}, 67},
		{&adminclient.Error{Status: 405}, 69},
		{&adminclient.Error{Status: 409}, 69},
		{&adminclient.Error{Status: 500}, 75},
		{&adminclient.Error{Status: 503}, 75},
		{&adminclient.Error{Status: 507}, 75},
		{&adminclient.Error{Status: 429}, 75},
		{adminclient.ErrNoServer, 75},
		{adminclient.ErrNoAnswer, 75},
		{config.ErrNotPrivate, 75},
		{errors.New("unforeseen"), 75},
		{&adminclient.Error{Status: 401}, 77},
		{&adminclient.Error{Status: 403}, 77},
		{adminclient.ErrNotPermitted, 77},
		{&config.Error{}, 78},
	} {
		if code := putExit(tt.err); code != tt.code {
			t.Errorf("%v: exit code %d, want %d", tt.err, code, tt.code)
		}
	}
}

// The table of docs/administration.md, and the help topic, have a row for each exit code.
func TestExitCodesPage(t *testing.T) {
	want := "\n| code | name | meaning |\n|---|---|---|\n"
	for _, m := range exitMeanings() {
		want += fmt.Sprintf("| %d | %s | %s |\n", m.code, m.name, m.text)
	}
	want = strings.ReplaceAll(want, "|  |", "| |")
	page, err := os.ReadFile("../../docs/administration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), want+"\n") {
		t.Errorf("docs/administration.md lacks the table\n%s", want)
	}
	help := newExitHelp().Long
	if !slices.IsSortedFunc(exitMeanings(), func(a, b exitMeaning) int { return a.code - b.code }) {
		t.Error("the rows are not in ascending order")
	}
	for _, m := range exitMeanings() {
		if !strings.Contains(help, fmt.Sprintf("\n%3d  %s", m.code, m.text)) {
			t.Errorf("the help topic lacks exit code %d", m.code)
		}
	}
}
