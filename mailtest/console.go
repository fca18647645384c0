package mailtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// ConsoleStep is a command that a page of documentation shows, with its output.
//
// A block of commands begins with "```console". A line that begins with "$ " is a command, which a
// "\" at the end continues. The lines behind a command are its output, standard error included:
// "..." stands for any text within a line, and a line "..." for any lines. A last line "exit status
// N" is the exit status; a command without the line must succeed.
type ConsoleStep struct {
	Line    int    // of the page, from 1
	Section string // the heading above, without its "#"
	Command string // for the shell
	Output  string // with "..." for any text
}

// anyLines is a line of a page that stands for any lines, including none.
const anyLines = "...\n"

// exitStatus matches the last line of a command that failed.
var exitStatus = regexp.MustCompile(`(?m)^exit status \d+\n\z`)

// Matches reports whether got is the output that the page shows. The exit status of a failed command is
// the last line of got.
func (s ConsoleStep) Matches(got string) bool {
	if exitStatus.FindString(got) != exitStatus.FindString(s.Output) {
		return false
	}
	pattern := strings.Builder{}
	for line := range strings.Lines(s.Output) {
		if line == anyLines {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `.*`))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}

// ConsoleSteps reads the commands of a page, in their order.
func ConsoleSteps(t testing.TB, page string) (steps []ConsoleStep) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var step *ConsoleStep
	inside, goesOn := false, false
	section := ""
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case !inside:
			inside = line == "```console\n"
			if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
				section = strings.TrimSpace(strings.TrimLeft(line, "#"))
			}
		case line == "```\n":
			inside, step = false, nil
		case goesOn:
			step.Command += line
		case isCommand:
			steps = append(steps, ConsoleStep{Line: n, Section: section, Command: command})
			step = &steps[len(steps)-1]
		case step == nil:
			t.Fatalf("%s:%d: output without a command", page, n)
		default:
			step.Output += line
		}
		goesOn = inside && step != nil && step.Output == "" && strings.HasSuffix(line, "\\\n")
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no commands", page)
	}
	return steps
}

// ConsoleSection returns the commands of one section of a page, at least one.
func ConsoleSection(t testing.TB, page, section string) (steps []ConsoleStep) {
	t.Helper()
	for _, s := range ConsoleSteps(t, page) {
		if s.Section == section {
			steps = append(steps, s)
		}
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no commands in the section %q", page, section)
	}
	return steps
}
