package main

import (
	"flag"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line   string
		rest   bool
		want   string
		oneWay bool
		dir    string
	}{
		{line: "dc1-1", want: "dc1-1"},
		{line: "dc1 dc2 --one-way", want: "dc1 dc2", oneWay: true},
		{line: "--one-way dc1 --dir /x dc2", want: "dc1 dc2", oneWay: true, dir: "/x"},
		{line: "--dir /x dc1-1 status --dir /y -r", rest: true, want: "dc1-1 status --dir /y -r", dir: "/x"},
		{line: "--dir /x", dir: "/x"},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		dir, oneWay := flags.String("dir", "", ""), flags.Bool("one-way", false, "")
		got, err := parse(flags, strings.Fields(c.line), c.rest)
		if err != nil || !slices.Equal(got, strings.Fields(c.want)) || *dir != c.dir || *oneWay != c.oneWay {
			t.Errorf("%s: got %q, dir %q, one way %v, %v", c.line, got, *dir, *oneWay, err)
		}
	}
}

// Every command without a cluster says so, and names the folder.
func TestNoCluster(t *testing.T) {
	for _, command := range []string{"status", "stop", "kill", "restart", "pause", "resume", "wipe", "replace", "move", "nodetool", "cut", "heal"} {
		if !strings.Contains(usage, "\n  "+command+" ") {
			t.Errorf("usage does not name %s", command)
		}
		dir := t.TempDir()
		if err := run(t.Context(), []string{command, "--dir", dir, "dc1-1"}); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", command, err)
		}
	}
}
