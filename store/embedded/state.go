package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// state lists the files that must exist in the data folder, with their contents. The file STATE holds
// the state:
//
//	popelago embedded store, state 1
//	phase closed
//	options OPTIONS-000019
//	whole 33 8f1c09aa FORMAT
//	whole 312 9b31c07e db/MANIFEST-000017
//	start 8192 51f2aa03 db/000018.log
//	size 88123 db/000012.sst
//	end 5e6f7a8b
//
// The octets of a whole file, and the octets at the start of a growing file, have a CRC-32C in hex. The
// last line has the CRC-32C of all lines above. Names are relative to the data folder.
type state struct {
	// phase is empty without a state: in folders of versions without STATE, and after a full disk had
	// no room for the file.
	phase string
	// options is the newest OPTIONS file of the database. Each opening for writing makes one: a later
	// file shows that a version without STATE has changed the folder.
	options string
	// files holds the files by name.
	files map[string]fileState
}

// Phases of a data folder.
const (
	phaseNew     = "new"     // the database does not exist yet
	phaseOpening = "opening" // being opened: a later OPTIONS file may exist
	phaseRunning = "running" // open, or not closed in order
	phaseClosed  = "closed"
)

// fileState holds the expected contents of a file.
type fileState struct {
	kind string // wholeFile, fileStart or fileSize
	size int64
	sum  uint32 // CRC-32C of the first size octets; 0 with fileSize
}

// Kinds of fileState.
const (
	wholeFile = "whole" // exactly size octets, with sum
	fileStart = "start" // at least size octets; the first size octets have sum
	fileSize  = "size"  // exactly size octets
)

const (
	stateFile  = "STATE"
	stateTitle = "popelago embedded store, state "
	stateKnown = "1"
)

// encode returns the text of a state.
func (st state) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s\nphase %s\n", stateTitle, stateKnown, st.phase)
	if st.options != "" {
		fmt.Fprintf(&b, "options %s\n", st.options)
	}
	for _, name := range slices.Sorted(maps.Keys(st.files)) {
		f := st.files[name]
		if f.kind == fileSize {
			fmt.Fprintf(&b, "%s %d %s\n", f.kind, f.size, name)
		} else {
			fmt.Fprintf(&b, "%s %d %08x %s\n", f.kind, f.size, f.sum, name)
		}
	}
	fmt.Fprintf(&b, "end %08x\n", crc32.Checksum(b.Bytes(), castagnoli))
	return b.Bytes()
}

// decodeState returns the state in a text. A text of a later form counts as no state.
func decodeState(text []byte) (state, error) {
	body, last, _ := cutLast(string(text))
	if last != fmt.Sprintf("end %08x\n", crc32.Checksum([]byte(body), castagnoli)) {
		return state{}, fmt.Errorf("%w: checksum differs", errBadRow)
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if lines[0] != stateTitle+stateKnown {
		if strings.HasPrefix(lines[0], stateTitle) {
			return state{}, nil
		}
		return state{}, fmt.Errorf("%w: not a state: %q", errBadRow, lines[0])
	}
	st := state{files: make(map[string]fileState)}
	for _, line := range lines[1:] {
		if err := st.decodeLine(line); err != nil {
			return state{}, fmt.Errorf("%w: line %q: %w", errBadRow, line, err)
		}
	}
	return st, nil
}

// cutLast splits a text before its last line.
func cutLast(text string) (above, last string, found bool) {
	i := strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")
	return text[:i+1], text[i+1:], i >= 0
}

func (st *state) decodeLine(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "phase":
		st.phase = rest
	case "options":
		st.options = rest
	case wholeFile, fileStart, fileSize:
		f := fileState{kind: word}
		size, rest, _ := strings.Cut(rest, " ")
		var err error
		if f.size, err = strconv.ParseInt(size, 10, 64); err != nil {
			return err
		}
		if word != fileSize {
			sum, name, _ := strings.Cut(rest, " ")
			n, err := strconv.ParseUint(sum, 16, 32)
			if err != nil {
				return err
			}
			f.sum, rest = uint32(n), name
		}
		st.files[rest] = f
	default:
		return errors.New("unknown word")
	}
	return nil
}

func (st state) equal(other state) bool {
	return st.phase == other.phase && st.options == other.options && maps.Equal(st.files, other.files)
}

// readState reads the state of a data folder. Without a state the phase is empty.
func readState(fs vfs.FS, dir string) (state, error) {
	name := fs.PathJoin(dir, stateFile)
	text, err := readWhole(fs, name)
	if isNotExist(err) {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	st, err := decodeState(text)
	if err != nil {
		return state{}, fmt.Errorf("%s: %w (without this file the folder opens as after a crash)", name, err)
	}
	return st, nil
}

func writeState(fs vfs.FS, dir string, st state) error {
	return writeDurably(fs, dir, stateFile, st.encode())
}

// removeState removes the state durably, without need of space.
func removeState(fs vfs.FS, dir string) error {
	if err := fs.Remove(fs.PathJoin(dir, stateFile)); err != nil && !isNotExist(err) {
		return err
	}
	return syncDir(fs, dir)
}

// readWhole reads a small file.
func readWhole(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// writeDurably replaces a file by the given octets, as a whole or not at all.
func writeDurably(fs vfs.FS, dir, base string, data []byte) error {
	name := fs.PathJoin(dir, base)
	tmp := name + tmpSuffix
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = fs.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, fs.Remove(tmp))
	}
	return syncDir(fs, dir)
}
