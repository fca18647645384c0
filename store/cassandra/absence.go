package cassandra

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"
)

// absence is the time during which the local nodes were away and reads still have to be confirmed:
// from the first failover to the last failback. Consecutive absences count as one until their
// confirmation ends. Hints of the first absence may still be there, and Cassandra keeps no more hints
// for a node once the oldest hint is too old.
type absence struct {
	left time.Time // when a local node answered last before the failover; zero: unknown
	back time.Time // when the local nodes were there again; zero: they are away
	// started holds the generations of the nodes of other datacenters as last known before left.
	started starts
}

// unknownLength is the length of an absence with an unknown beginning or end.
const unknownLength = time.Duration(math.MaxInt64)

// again returns the absence that includes a further failover. a is nil before the first failover.
func (a *absence) again(left time.Time, started starts) *absence {
	if a == nil {
		return &absence{left: left, started: started}
	}
	return &absence{left: a.left, started: a.started}
}

// returned returns the absence with its end.
func (a *absence) returned(at time.Time) *absence {
	return &absence{left: a.left, back: at, started: a.started}
}

// lasts reports whether the local nodes are away, or were when the absence was recorded. a may be nil.
func (a *absence) lasts() bool { return a != nil && a.back.IsZero() }

// length returns the duration of the absence, up to now if the absence has not ended. If the wall
// clock and the monotonic clock disagree the longer duration counts. If the wall clock went backwards
// the length is unknown.
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

// text returns the contents of the file that holds an absence.
func (a *absence) text(datacenter string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Statements of %s went through another datacenter, because no local node could be reached.\n", datacenter)
	b.WriteString("# Reads are confirmed with the other datacenters until the local nodes have received the writes they missed.\n")
	b.WriteString("# Once the local nodes were repaired, remove this file.\n")
	for _, line := range []struct {
		name string
		at   time.Time
	}{{"left", a.left}, {"back", a.back}} {
		if !line.at.IsZero() {
			fmt.Fprintf(&b, "%s %s\n", line.name, line.at.UTC().Format(time.RFC3339Nano))
		}
	}
	b.WriteString(a.started.text())
	return b.String()
}

// parseAbsence undoes text. A text of another form yields an absence of unknown length.
func parseAbsence(text string) *absence {
	a := &absence{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := time.Parse(time.RFC3339Nano, value)
		switch {
		case strings.HasPrefix(name, "#") || name == "":
		case name == "started":
			a.started.add(value)
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

// absenceFileName is the name of the absence file.
const absenceFileName = "confirm-reads"

// absenceFile is a file in the spool folder that records an absence over restarts:
//
//	confirm-reads    # Statements of dc1 went through another datacenter ...
//	                 left 2026-11-25T20:15:00.5Z
//	                 back 2026-11-25T20:27:30Z
//	                 started 10.2.0.1 1764100800 dc2
//
// The file is written and synced before the first statement goes to another datacenter. A missing or
// malformed time makes the length of the absence unknown. Without "back" the local nodes are away.
type absenceFile struct {
	path       string
	datacenter string // the local one
}

func newAbsenceFile(cfg Config) absenceFile {
	return absenceFile{path: cfg.spoolPath(absenceFileName), datacenter: cfg.Datacenter}
}

// save writes an absence.
func (f absenceFile) save(a *absence) error {
	if err := writeDurably(f.path, a.text(f.datacenter)); err != nil {
		return fmt.Errorf("record in the spool folder that the local nodes are away: %w", err)
	}
	return nil
}

// load reads the absence that an earlier process recorded; nil if there is no file. An unreadable
// file yields an absence of unknown length.
func (f absenceFile) load() *absence {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return parseAbsence(string(text))
}

// exists reports whether the file is there, or may be there.
func (f absenceFile) exists() bool {
	_, err := os.Stat(f.path)
	return !errors.Is(err, fs.ErrNotExist)
}

// remove removes the file. A missing file is no error.
func (f absenceFile) remove() { _ = os.Remove(f.path) }
