package cassandra

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A file in the spool folder keeps over restarts that statements went through another datacenter:
//
//	confirm-reads    # Statements of dc1 went through another datacenter ...
//	                 left 2026-11-25T20:15:00.5Z
//	                 back 2026-11-25T20:27:30Z
//
// It is written, and on the disk, before the first statement goes elsewhere. What it lacks, or
// has in another form, is not known. Without "back" the local nodes are away still.

// absenceFile is the name of that file.
const absenceFile = "confirm-reads"

// absence is for how long the local nodes were away, as far as reads still have to be confirmed
// for that: from the first time that they were left to the last return. Several absences are one
// until reads were confirmed for long enough, because hints of the first may be there still, and
// Cassandra keeps no more hints for a node once the oldest one is too old.
type absence struct {
	left time.Time // when they answered for the last time before; zero: not known
	back time.Time // when they were there again; zero: they are away
}

// unknownLength is the length of an absence of which too little is known.
const unknownLength = time.Duration(math.MaxInt64)

// again is a longer absence: the local nodes were left once more. Nil is none so far.
func (a *absence) again(left time.Time) *absence {
	if a == nil {
		return &absence{left: left}
	}
	return &absence{left: a.left}
}

// returned is the absence with the moment of the return.
func (a *absence) returned(at time.Time) *absence { return &absence{left: a.left, back: at} }

// length is how long the absence was, or has been by now. If two clocks disagree the longer time
// counts; if one of them went backwards it is not known.
func (a *absence) length(now time.Time) time.Duration {
	end := a.back
	if end.IsZero() {
		end = now
	}
	length := max(end.Sub(a.left), end.Round(0).Sub(a.left.Round(0)))
	if a.left.IsZero() || end.Round(0).Before(a.left.Round(0)) {
		return unknownLength
	}
	return length
}

// text is an absence as it is in the file.
func (a *absence) text(datacenter string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Statements of %s went through another datacenter, because no local node could be reached.\n", datacenter)
	b.WriteString("# Reads are confirmed with the other datacenters until the local nodes know what they missed.\n")
	b.WriteString("# Once the local nodes were repaired, remove this file.\n")
	for _, line := range []struct {
		name string
		at   time.Time
	}{{"left", a.left}, {"back", a.back}} {
		if !line.at.IsZero() {
			fmt.Fprintf(&b, "%s %s\n", line.name, line.at.UTC().Format(time.RFC3339Nano))
		}
	}
	return b.String()
}

// parseAbsence undoes text.
func parseAbsence(text string) *absence {
	a := &absence{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := time.Parse(time.RFC3339Nano, value)
		switch {
		case strings.HasPrefix(name, "#") || name == "":
		case err != nil:
			return &absence{}
		case name == "left":
			a.left = at
		case name == "back":
			a.back = at
		}
	}
	return a
}

// spoolPath is a file in the spool folder.
func (s *engine) spoolPath(name string) string {
	dir := s.cfg.SpoolDir
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, name)
}

// keep writes an absence into the file.
func (s *engine) keep(a *absence) error {
	if err := writeDurably(s.spoolPath(absenceFile), a.text(s.cfg.Datacenter)); err != nil {
		return fmt.Errorf("keep in the spool folder that the local nodes are away: %w", err)
	}
	return nil
}

// recall reads what a server before this one kept; nil if that is nothing. What cannot be read is
// an absence of unknown length.
func (s *engine) recall() *absence {
	text, err := os.ReadFile(s.spoolPath(absenceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return parseAbsence(string(text))
}

// isKept reports whether the file is there, or may be.
func (s *engine) isKept() bool {
	_, err := os.Stat(s.spoolPath(absenceFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// writeDurably puts a text into a file, on the disk when it returns. After an error, or a crash,
// the file has the old text or the new one.
func writeDurably(path, text string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has another name by then, unless something failed
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
