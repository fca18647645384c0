package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/mailtest"
)

// TestAdministrationPage runs the commands of docs/administration.md one after the other, in one
// shell, against one server on the embedded store. mailtest.ConsoleStep has the form of the page.
func TestAdministrationPage(t *testing.T) {
	steps := mailtest.ConsoleSteps(t, "../../docs/administration.md")
	newPageServer(t).start("")
	trySteps(t, steps)
}

// trySteps runs commands of a page in one shell, so that variables last, and compares their outputs with the
// page. trySteps returns the outputs.
func trySteps(t *testing.T, steps []mailtest.ConsoleStep) []string {
	t.Helper()
	results := runSteps(t, steps)
	for i, step := range steps {
		if got := results[i]; !step.Matches(got) {
			t.Errorf("line %d: $ %s\nprints\n%s\nthe page says\n%s", step.Line, step.Command, got, step.Output)
		}
	}
	return results
}

// pageServer is the server that the commands of a page ask.
type pageServer struct {
	t     *testing.T
	log   mailtest.Log // of all runs
	cmd   *exec.Cmd    // nil: does not run
	ended chan error
	from  int // the length of the log before the last run
}

// pageConfig is the configuration file of the server of a page, in its folder.
const pageConfig = "popelago.toml"

// newPageServer makes a server in a new folder, which becomes the working folder of the test.
func newPageServer(t *testing.T) *pageServer {
	t.Helper()
	t.Chdir(t.TempDir())
	s := &pageServer{t: t}
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("the log of the server:\n%s", s.log.String())
		}
	})
	return s
}

// configure writes the configuration file with further settings.
func (s *pageServer) configure(settings string) {
	s.t.Helper()
	text := "hostname = \"mx.example.org\"\npop3.listen = \"127.0.0.1:0\"\n" + settings
	if err := os.WriteFile(pageConfig, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// start starts the server with further settings.
func (s *pageServer) start(settings string) {
	s.t.Helper()
	s.configure(settings)
	s.from = len(s.log.String())
	popelago, err := exec.LookPath("popelago") // installed by testscript.Main
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(popelago, "serve", "--config", pageConfig)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan error) { ended <- cmd.Wait() }(s.cmd, s.ended)
	waitForSocket(s.t, filepath.Join("popelago-data", "admin.sock"), s.ended)
}

// stop ends the server, if it runs.
func (s *pageServer) stop() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if err := <-s.ended; err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
	s.cmd = nil
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

// runSteps runs the commands in one shell and returns their outputs.
func runSteps(t *testing.T, steps []mailtest.ConsoleStep) []string {
	t.Helper()
	out := t.TempDir()
	var script strings.Builder
	for i, s := range steps {
		name := filepath.Join(out, strconv.Itoa(i))
		fmt.Fprintf(&script, "{ %s} >%s 2>&1 </dev/null\nstatus=$?; [ $status = 0 ] || echo \"exit status $status\" >>%s\n", s.Command, name, name)
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
