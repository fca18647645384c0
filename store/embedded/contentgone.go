package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
)

// ContentsGone reports whether a data folder in use has nothing of its own where the files of large contents belong: somebody has moved the
// folder content, its disk is not mounted, or a copy has left empty folders out. Open then refuses the folder if a message
// has its octets in a file. Errors: store.ErrUnavailable.
func ContentsGone(dir string) (gone bool, name string, err error) {
	fs := privateFS{vfs.Default}
	gone, err = contentsGone(fs, dir)
	return gone, fs.PathJoin(dir, contentDir), translate(err, "look for the contents")
}

// contentsGone is ContentsGone. The first start makes the folders before the file of the format, and each start keeps them. So a
// folder content with neither the folder for temporary files nor a folder of contents is another folder, such as a disk with
// lost+found alone.
func contentsGone(fs vfs.FS, dir string) (bool, error) {
	switch _, err := fs.Stat(fs.PathJoin(dir, formatFile)); {
	case isNotExist(err):
		return false, nil
	case err != nil:
		return false, err
	}
	names, err := fs.List(fs.PathJoin(dir, contentDir))
	if isNotExist(err) {
		return true, nil
	}
	ours := slices.ContainsFunc(names, func(name string) bool { return name == tmpDir || isBucket(name) })
	return err == nil && !ours, err
}

// errFound ends a scan.
var errFound = errors.New("found")

// makeContents makes the folders of files in a folder whose contents are gone. Errors: errBadRow if a message has its octets in
// a file.
func (e *engine) makeContents(ctx context.Context) error {
	var id mail.MessageID
	err := e.link.scan(ctx, []byte{prefixContent}, []byte{prefixContent + 1}, func(k, v []byte) (bool, error) {
		row, err := decodeContent(v)
		if err != nil || row.kind != kindFile || len(k) != contentKeyLen {
			return true, nil // a damaged row is found when it is read
		}
		id = fromSortKey(k[1:])
		return false, errFound
	})
	switch {
	case errors.Is(err, errFound):
		return fmt.Errorf("%s: %w: the contents of large messages are missing, such as the content of message %s: bring the folder back, "+
			"or mount its disk; if the contents are lost, make the folder %s, and the server starts without them",
			e.files.dir, errBadRow, id, e.files.tmp)
	case err != nil:
		return err
	}
	return e.folder.makeFiles(e.files)
}
