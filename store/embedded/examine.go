package embedded

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Examine looks for the faults in a data folder with which Open would refuse it, and changes nothing. It may be called
// beside an open store. used reports whether the folder has been in use; a folder that was not has no faults.
//
// Errors: ErrNewerFormat, store.ErrCorrupt with the name of the damaged file, store.ErrUnavailable.
func Examine(ctx context.Context, dir string) (used bool, err error) {
	return examineAgain(ctx, privateFS{vfs.Default}, dir)
}

const (
	// examineTries is the number of looks at a folder whose files may have changed during a look.
	examineTries = 10
	examinePause = 50 * time.Millisecond
)

// examineAgain looks again while a server changes the state during a look: the state on the disk holds at each
// moment, but not for a later moment.
func examineAgain(ctx context.Context, fs vfs.FS, dir string) (used bool, err error) {
	const what = "examine the data folder"
	state := func() []byte {
		text, _ := readWhole(fs, fs.PathJoin(dir, stateFile)) // an error: examine meets it, too
		return text
	}
	for try := 1; ; try++ {
		before := state()
		used, err = examine(fs, dir)
		if err == nil || try == examineTries || try > 1 && bytes.Equal(before, state()) {
			return used, translate(err, what)
		}
		wait := time.NewTimer(examinePause)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return used, contextErr(ctx, what)
		}
	}
}

// examine looks at a folder once.
func examine(fs vfs.FS, dir string) (used bool, err error) {
	st, err := readState(fs, dir)
	if err != nil {
		return true, err
	}
	name := fs.PathJoin(dir, formatFile)
	text, err := readWhole(fs, name)
	if isNotExist(err) {
		if err = formatMissing(fs, dir, st); isNotExist(err) { // no folder at all
			err = nil
		}
		return err != nil, err
	}
	if err != nil {
		return true, err
	}
	if _, err := checkFormat(fs, name, string(text), st); err != nil {
		return true, err
	}
	if _, _, err := checkDatabase(fs, dir); err != nil {
		return true, missing(fmt.Errorf("%s: %w", dir, err))
	}
	return true, nil
}
