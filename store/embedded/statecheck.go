package embedded

import (
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// checkState compares the database of a data folder with its state. Pebble finds damage in tables when it
// reads them, so a state holds only the sizes of tables. Damage in the newest log or at the end of the
// manifest looks to Pebble like the torn end of a last write.
//
// checkState returns the state to continue from. There is none if a version without STATE has changed the
// folder, which leaves no older OPTIONS file, or if an opening was interrupted. Errors name the file.
func checkState(fs vfs.FS, dir string, st state) (state, error) {
	if st.phase == "" || st.phase == phaseNew {
		return st, nil
	}
	names, err := fs.List(fs.PathJoin(dir, dbDir))
	if err != nil {
		return st, err
	}
	if newest := newestOptions(names); optionsNumber(newest) > optionsNumber(st.options) {
		if st.phase != phaseOpening && slices.Contains(names, st.options) {
			return st, fmt.Errorf("%s: %w: it is not of this copy of the folder: one was put over another",
				fs.PathJoin(dir, dbDir, newest), errBadRow)
		}
		return state{}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(st.files)) {
		if name == formatFile {
			continue // see checkFormat
		}
		path := fs.PathJoin(dir, name)
		if err := st.files[name].check(fs, path); err != nil {
			return st, fmt.Errorf("%s: %w", path, err)
		}
	}
	if st.phase == phaseClosed {
		return st, checkStrangers(fs, dir, st, names)
	}
	return st, nil
}

// checkStrangers finds logs and markers that were added to a closed folder, as when one copy of a folder is
// copied over another: Pebble would use them.
func checkStrangers(fs vfs.FS, dir string, st state, names []string) error {
	for _, name := range names {
		_, listed := st.files[fs.PathJoin(dbDir, name)]
		if !listed && (isLog(name) || isMarker(name)) {
			return fmt.Errorf("%s: %w: it was not there when the folder was closed",
				fs.PathJoin(dir, dbDir, name), errBadRow)
		}
	}
	return nil
}

// check compares a file with its expected contents.
func (f fileState) check(fs vfs.FS, path string) error {
	info, err := fs.Stat(path)
	if isNotExist(err) {
		return fmt.Errorf("%w: the file is missing", errBadRow)
	}
	if err != nil {
		return err
	}
	size := info.Size()
	if size < f.size || size > f.size && f.kind != fileStart {
		return fmt.Errorf("%w: the file has %d octets, and had %d", errBadRow, size, f.size)
	}
	if f.kind == fileSize || f.size == 0 {
		return nil
	}
	sum, err := sumOf(fs, path, f.size)
	if err != nil {
		return err
	}
	if sum != f.sum {
		return fmt.Errorf("%w: the first %d octets have changed", errBadRow, f.size)
	}
	return nil
}

// sumOf returns the CRC-32C of the first size octets of a file.
func sumOf(fs vfs.FS, path string, size int64) (uint32, error) {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	_, err = io.CopyN(h, f, size)
	return h.Sum32(), err
}

// closedState returns the state of a folder whose database was closed in order.
func closedState(fs vfs.FS, dir string) (state, error) {
	st := state{phase: phaseClosed, files: make(map[string]fileState)}
	names, err := fs.List(fs.PathJoin(dir, dbDir))
	if err != nil {
		return st, err
	}
	st.options = newestOptions(names)
	whole := []string{formatFile}
	for _, name := range names {
		inDir := fs.PathJoin(dbDir, name)
		switch {
		case isTable(name):
			info, err := fs.Stat(fs.PathJoin(dir, inDir))
			if err != nil {
				return st, err
			}
			st.files[inDir] = fileState{kind: fileSize, size: info.Size()}
		case isLog(name), isMarker(name), isManifest(name), optionsNumber(name) > 0:
			whole = append(whole, inDir)
		}
	}
	for _, name := range whole {
		if st.files[name], err = wholeState(fs, fs.PathJoin(dir, name)); err != nil {
			return st, err
		}
	}
	return st, nil
}

// wholeState returns the present state of a file.
func wholeState(fs vfs.FS, path string) (fileState, error) {
	info, err := fs.Stat(path)
	if err != nil {
		return fileState{}, err
	}
	sum, err := sumOf(fs, path, info.Size())
	return fileState{kind: wholeFile, size: info.Size(), sum: sum}, err
}

// formatMarker begins the name of the file with the format of Pebble.
const formatMarker = "marker.format-version."

func isLog(name string) bool      { return strings.HasSuffix(name, ".log") }
func isMarker(name string) bool   { return strings.HasPrefix(name, "marker.") }
func isManifest(name string) bool { return strings.HasPrefix(name, "MANIFEST-") }

// newestOptions returns the name of the last OPTIONS file among names, or an empty name.
func newestOptions(names []string) (newest string) {
	for _, name := range names {
		if optionsNumber(name) > optionsNumber(newest) {
			newest = name
		}
	}
	return newest
}

// optionsNumber returns the number of an OPTIONS file, and 0 for other names.
func optionsNumber(name string) uint64 {
	digits, ok := strings.CutPrefix(name, "OPTIONS-")
	if !ok {
		return 0
	}
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}
