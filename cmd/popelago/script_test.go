package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(testsWithNode{m}, map[string]func(){"popelago": main})
}

// TestScripts runs the command as a separate process, as testdata/script/*.txtar say. In addition
// to the commands of testscript there are
//
//	exits CODE COMMAND...       run a command that must exit with CODE
//	waitfor FILE REGEXP         wait until a file has a match
//	waitsocket FILE             wait until a server answers on a unix socket
//	waitout REGEXP COMMAND...   run a command until its standard output has a match
func TestScripts(t *testing.T) {
	testscript.Run(t, scripts("testdata/script"))
}

// scripts returns the scripts of one folder.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			endAtOnce(env)
			env.Defer(func() { showWarnings(env) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "waitfor": scriptWaitFor, "waitsocket": scriptWaitSocket, "waitout": scriptWaitOut,
		},
	}
}

// showWarnings prints the warnings and errors of the file "log", in which many scripts keep the log of a server. The
// output of a script that passes is not shown.
func showWarnings(env *testscript.Env) {
	log, err := os.ReadFile(filepath.Join(env.WorkDir, "log"))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
			env.T().Log("log: " + strings.TrimSpace(line))
		}
	}
}

// endAtOnce lets commands with the race detector end at once: by default the detector waits a second
// for other goroutines to report.
func endAtOnce(env *testscript.Env) { env.Setenv("GORACE", "atexit_sleep_ms=50") }

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func scriptWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	wait(ts, func() error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && !want.Match(text) {
			err = fmt.Errorf("%s has no match for %q:\n%s", args[0], args[1], text)
		}
		return err
	})
}

func scriptWaitSocket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitsocket FILE")
	}
	wait(ts, func() error {
		c, err := net.Dial("unix", ts.MkAbs(args[0]))
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

func scriptWaitOut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitout REGEXP COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	wait(ts, func() error {
		err := ts.Exec(args[1], args[2:]...)
		if out := ts.ReadFile("stdout"); !want.MatchString(out) {
			return fmt.Errorf("the output has no match for %q, %v:\n%s", args[0], err, out)
		}
		return nil
	})
}

// wait calls check until it returns nil. The limit only ends a test that hangs.
func wait(ts *testscript.TestScript, check func() error) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	limit := time.After(10 * time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-limit:
			ts.Fatalf("after ten minutes: %v", err)
		}
	}
}
