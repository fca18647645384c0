package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAdministrationPage runs the commands of docs/administration.md one after the other, in one
// shell, against one server on the embedded store.
//
// A block of the page begins with "```console". A line that begins with "$ " is a command, which a
// "\" at the end continues. The lines behind a command are its output, standard error included:
// "..." stands for any text within a line, and a line "..." for any lines. A last line "exit status
// N" is the exit status; a command without the line must succeed.
func TestAdministrationPage(t *testing.T) {
	tryPage(t, "../../docs/administration.md", "")
}

// TestObservabilityPage does the same with docs/observability.md and a server that keeps records.
func TestObservabilityPage(t *testing.T) {
	tryPage(t, "../../docs/observability.md", "[trace]\nenabled = true\n[audit]\nenabled = true\n")
}

// tryPage runs the commands of a page with further settings of the server.
func tryPage(t *testing.T, page, settings string) {
	t.Helper()
	steps := consoleSteps(t, page)
	servePage(t, settings)
	results := runSteps(t, steps)
	for i, step := range steps {
		if got := results[i]; !step.matches(got) {
			t.Errorf("line %d: $ %s\nprints\n%s\nthe page says\n%s", step.line, step.command, got, step.output)
		}
	}
}

// consoleStep is one command of a page.
type consoleStep struct {
	line    int    // of the page, for messages
	command string // for the shell
	output  string // expected, with "..." for any text
}

// anyLines is a line of a page that stands for any lines, including none.
const anyLines = "...\n"

// exitStatus matches the last line of a command that failed.
var exitStatus = regexp.MustCompile(`(?m)^exit status \d+\n\z`)

func (s consoleStep) matches(got string) bool {
	if exitStatus.FindString(got) != exitStatus.FindString(s.output) {
		return false
	}
	pattern := strings.Builder{}
	for line := range strings.Lines(s.output) {
		if line == anyLines {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `.*`))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}

func consoleSteps(t *testing.T, page string) (steps []consoleStep) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var step *consoleStep
	inside, goesOn := false, false
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !inside:
			inside = line == "```console\n"
		case line == "```\n":
			inside, step = false, nil
		case goesOn:
			step.command += line
		case isCommand:
			steps = append(steps, consoleStep{line: n, command: command})
			step = &steps[len(steps)-1]
		case step == nil:
			t.Fatalf("%s:%d: output without a command", page, n)
		default:
			step.output += line
		}
		goesOn = inside && step != nil && step.output == "" && strings.HasSuffix(line, "\\\n")
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no commands", page)
	}
	return steps
}

// servePage starts a server with further settings in a new folder, which becomes the working folder of the test.
func servePage(t *testing.T, settings string) {
	t.Helper()
	popelago, err := exec.LookPath("popelago") // installed by testscript.Main
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("popelago.toml", []byte("pop3.listen = \"127.0.0.1:0\"\nhostname = \"mx.example.org\"\n"+settings), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(popelago, "serve", "--config", "popelago.toml")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil || t.Failed() {
			t.Errorf("the server ended with %v; its log:\n%s", err, &log)
		}
	})
	waitForSocket(t, filepath.Join("popelago-data", "admin.sock"), ended)
}

// waitForSocket returns when a server has made its socket. A server that ends fails the test.
func waitForSocket(t *testing.T, socket string, ended chan error) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the server ended: %v", err)
		case <-again.C:
		}
	}
}

// runSteps runs the commands in one shell, so that variables last, and returns their outputs.
func runSteps(t *testing.T, steps []consoleStep) []string {
	t.Helper()
	out := t.TempDir()
	var script strings.Builder
	for i, s := range steps {
		name := filepath.Join(out, strconv.Itoa(i))
		fmt.Fprintf(&script, "{ %s} >%s 2>&1 </dev/null\nstatus=$?; [ $status = 0 ] || echo \"exit status $status\" >>%s\n", s.command, name, name)
	}
	cmd := exec.Command("bash", "-c", script.String())
	if text, err := cmd.CombinedOutput(); err != nil || len(text) > 0 {
		t.Fatalf("the commands of the page: %v\n%s", err, text)
	}
	results := make([]string, len(steps))
	for i := range steps {
		text, err := os.ReadFile(filepath.Join(out, strconv.Itoa(i)))
		if err != nil {
			t.Fatal(err)
		}
		results[i] = string(text)
	}
	return results
}
