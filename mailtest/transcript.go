package mailtest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var rewrite = flag.Bool("rewrite", false, "write what the server says into the transcripts")

// quiet limits the wait of -rewrite for a further line from the server.
const quiet = 300 * time.Millisecond

// RunTranscripts runs every file that matches glob as a subtest with the name of the file. dial opens
// the connection of a transcript, from the options of its header and with the subtest's t. See the
// package comment for the form of the files.
func RunTranscripts(t *testing.T, glob string, dial func(t *testing.T, options map[string]string) net.Conn) {
	t.Helper()
	names, err := filepath.Glob(glob)
	if err != nil || len(names) == 0 {
		t.Fatalf("no transcript matches %s (%v)", glob, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), func(t *testing.T) {
			lines, err := readTranscript(name)
			if err != nil {
				t.Fatal(err)
			}
			options, err := transcriptOptions(lines)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := &transcript{t: t, name: name, lines: lines, client: NewClient(t, dial(t, options))}
			r.run()
		})
	}
}

func readTranscript(name string) ([]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if !strings.HasPrefix(lines[0], "# ") || strings.HasPrefix(lines[0], "# option ") {
		return nil, fmt.Errorf("%s: the first line must be a comment that says why", name)
	}
	return lines, nil
}

func transcriptOptions(lines []string) (map[string]string, error) {
	options := map[string]string{}
	for _, line := range lines {
		if option, ok := strings.CutPrefix(line, "# option "); ok {
			key, value, found := strings.Cut(option, "=")
			if _, twice := options[key]; !found || twice {
				return nil, fmt.Errorf("bad or repeated option %q", option)
			}
			options[key] = value
		}
	}
	return options, nil
}

// transcript is a file in progress.
type transcript struct {
	t      *testing.T
	name   string
	lines  []string
	client *Client
	out    []string // the rewritten file
}

func (r *transcript) run() {
	r.t.Helper()
	for i := 0; i < len(r.lines); i++ {
		line := r.lines[i]
		if *rewrite && isServerLine(line) {
			continue // handled with the line before
		}
		r.out = append(r.out, line)
		if err := r.step(line); err != nil {
			r.t.Fatalf("%s:%d: %v", r.name, i+1, err)
		}
		if *rewrite && !endsBlock(r.lines, i) {
			continue
		}
		if *rewrite && r.expectsServer(i) {
			r.rewriteBlock(i + 1)
		}
	}
	if *rewrite {
		text := strings.Join(r.out, "\n") + "\n"
		if err := os.WriteFile(r.name, []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// endsBlock reports whether the server is to speak after line i: the next line is no C line.
func endsBlock(lines []string, i int) bool {
	return i+1 == len(lines) || !strings.HasPrefix(lines[i+1], "C")
}

// expectsServer reports whether line i, or the start of the file before it, makes the server
// speak.
func (r *transcript) expectsServer(i int) bool {
	line := r.lines[i]
	first := i+1 < len(r.lines) && isServerLine(r.lines[i+1])
	return strings.HasPrefix(line, "C:") || strings.HasPrefix(line, "C-") || first
}

func isServerLine(line string) bool { return line == "S:" || strings.HasPrefix(line, "S: ") }

func (r *transcript) step(line string) error {
	text := ""
	if len(line) > 3 {
		text = line[3:]
	}
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case line == "C:" || strings.HasPrefix(line, "C: "):
		r.client.Cmd(text)
		return nil
	case strings.HasPrefix(line, "C- "):
		octets, err := unescape(text)
		r.client.Send(octets)
		return err
	case isServerLine(line):
		got, err := r.client.TryLine()
		if err != nil {
			return fmt.Errorf("want %q: %w", text, err)
		}
		return match(text, got)
	case line == "TLS":
		return r.client.TryStartTLS(nil)
	case line == "CLOSE":
		r.client.Close()
		return nil
	case line == "EOF":
		got, err := r.client.TryLine()
		switch {
		case err == nil:
			return fmt.Errorf("the server says %q, want the end", got)
		case !isClosed(err):
			return fmt.Errorf("%v, want the end", err)
		}
		return nil
	}
	return fmt.Errorf("%q is no line of a transcript", line)
}

// match compares a line of the server with the text of an S line.
func match(want, got string) error {
	got = escape(got)
	if re, ok := pattern(want); ok {
		compiled, err := regexp.Compile(re)
		if err != nil {
			return err
		}
		if !compiled.MatchString(got) {
			return fmt.Errorf("the server says %q, want a match of %s", got, want)
		}
		return nil
	}
	if got != want {
		return fmt.Errorf("the server says\n\t%q, want\n\t%q", got, want)
	}
	return nil
}

func pattern(text string) (string, bool) {
	if len(text) < 2 || text[0] != '/' || text[len(text)-1] != '/' {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// rewriteBlock replaces the S lines from start on by the present answers of the server.
func (r *transcript) rewriteBlock(start int) {
	var old []string
	for i := start; i < len(r.lines) && isServerLine(r.lines[i]); i++ {
		old = append(old, strings.TrimPrefix(r.lines[i][2:], " "))
	}
	timeout := r.client.Timeout
	defer func() { r.client.Timeout = timeout }()
	for n := 0; ; n++ {
		r.client.Timeout = quiet
		if n == 0 {
			r.client.Timeout = 10 * quiet
		}
		got, err := r.client.TryLine()
		if err != nil {
			if !isClosed(err) && !errors.Is(err, os.ErrDeadlineExceeded) {
				r.t.Fatalf("%s: %v", r.name, err)
			}
			return
		}
		text := escape(got)
		if n < len(old) {
			if _, ok := pattern(old[n]); ok && match(old[n], got) == nil {
				text = old[n]
			}
		}
		if strings.HasSuffix(text, " ") {
			text = "/^" + regexp.QuoteMeta(text) + "$/" // editors take spaces away
		}
		r.out = append(r.out, strings.TrimSuffix("S: "+text, " "))
	}
}

// escape shows octets that are no printable text as \xNN.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r < ' ' || r == 0x7F || r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[i])
			i++
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// unescape resolves \r \n \t \\ and \xNN.
func unescape(s string) (string, error) {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", fmt.Errorf("%q ends in a backslash", s)
		}
		switch s[i] {
		case 'r':
			b.WriteByte('\r')
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '\\':
			b.WriteByte('\\')
		case 'x':
			if i+3 > len(s) {
				return "", fmt.Errorf("%q: \\x needs two digits", s)
			}
			v, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("%q: %w", s, err)
			}
			b.WriteByte(byte(v))
			i += 2
		default:
			return "", fmt.Errorf("%q: unknown escape \\%c", s, s[i])
		}
	}
	return b.String(), nil
}
