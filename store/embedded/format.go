package embedded

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// openFormat reads the format of the folder, and writes the format wanted for an empty folder. The lock is
// held.
func openFormat(fs vfs.FS, dir string, wanted int) (version int, err error) {
	st, err := readState(fs, dir)
	if err != nil {
		return 0, err
	}
	name := fs.PathJoin(dir, formatFile)
	text, err := readWhole(fs, name)
	if isNotExist(err) {
		return wanted, makeFormat(fs, dir, st, wanted)
	}
	if err != nil {
		return 0, err
	}
	return checkFormat(fs, name, string(text), st)
}

// writeFormat writes a format durably.
func writeFormat(fs vfs.FS, dir string, version int) error {
	return writeDurably(fs, dir, formatFile, fmt.Appendf(nil, formatLine, version))
}

// checkFormat compares the format with the known formats, and with the state.
func checkFormat(fs vfs.FS, name, text string, st state) (version int, err error) {
	version, err = parseFormat(name, text)
	if f, listed := st.files[formatFile]; err != nil && listed {
		if damage := f.check(fs, name); damage != nil {
			return 0, fmt.Errorf("%w; if no later version has been here: %w", err, damage)
		}
	}
	return version, err
}

func parseFormat(name, text string) (version int, err error) {
	if _, err := fmt.Sscanf(text, formatLine, &version); err != nil || version < 1 {
		return 0, fmt.Errorf("%s: %w: not a format line: %q", name, errBadRow, text)
	}
	if version > formatKnown {
		return 0, fmt.Errorf("%s: %w: %d, known up to %d", name, ErrNewerFormat, version, formatKnown)
	}
	return version, nil
}

// makeFormat writes the format of an empty folder. The state is written first: it distinguishes a folder
// whose database was never made from a folder that lost its database.
func makeFormat(fs vfs.FS, dir string, st state, version int) error {
	if err := formatMissing(fs, dir, st); err != nil {
		return err
	}
	if st.phase != phaseNew {
		if err := writeState(fs, dir, state{phase: phaseNew}); err != nil {
			return err
		}
	}
	return writeFormat(fs, dir, version)
}

// formatMissing returns an error for a folder without a format that is in use.
func formatMissing(fs vfs.FS, dir string, st state) error {
	if st.phase == phaseNew {
		return nil
	}
	inside, err := somethingInside(fs, dir)
	if err != nil && (!isNotExist(err) || st.phase == "") {
		return err
	}
	if inside != "" || st.phase != "" {
		inside = cmp.Or(inside, stateFile)
		return fmt.Errorf("%s: %w: the file is missing, though the folder is in use: it has %s",
			fs.PathJoin(dir, formatFile), errBadRow, inside)
	}
	return nil
}

// somethingInside returns the name of a file that only a folder in use has, or an empty name.
func somethingInside(fs vfs.FS, dir string) (string, error) {
	for _, sub := range []string{dbDir, contentDir} {
		names, err := fs.List(fs.PathJoin(dir, sub))
		if err != nil {
			return "", err
		}
		for _, name := range names {
			if name != lockFile && name != tmpDir && !strings.HasSuffix(name, tmpSuffix) && !ofTheDisk(name) {
				return fs.PathJoin(sub, name), nil
			}
		}
	}
	return "", nil
}

// ofTheDisk reports whether a name belongs to the file system, such as lost+found on a fresh disk, or .snapshot.
func ofTheDisk(name string) bool { return name == "lost+found" || strings.HasPrefix(name, ".") }
