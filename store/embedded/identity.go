package embedded

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// identity is a random name of a data folder. The row prefixIdentity and the file content/FOLDER hold the identity, so that a
// start recognizes the contents of another data folder: each large message would be missing, and leftovers.sweep would remove
// all of their files. The file:
//
//	popelago embedded store, contents of folder 0123456789abcdef0123456789abcdef
//	end 5e6f7a8b
//
// The last line has the CRC-32C of the first line.
type identity [16]byte

const (
	identityFile = "FOLDER" // in contentDir
	identityLine = "popelago embedded store, contents of folder %x\n"
)

func (i identity) encode() []byte {
	line := fmt.Appendf(nil, identityLine, i[:])
	return fmt.Appendf(line, "end %08x\n", crc32.Checksum(line, castagnoli))
}

// decodeIdentity returns the identity in a text, or the zero identity for a text in another form.
func decodeIdentity(text []byte) (i identity) {
	var found []byte
	if _, err := fmt.Sscanf(string(text), identityLine, &found); err != nil || len(found) != len(i) {
		return identity{}
	}
	copy(i[:], found)
	if !bytes.Equal(text, i.encode()) {
		return identity{}
	}
	return i
}

// identityKey returns the key of the identity.
func identityKey() []byte { return []byte{prefixIdentity} }

// claimContents compares the identity of the contents with the identity of the database. A missing identity is written: a
// folder of an earlier version has none, a restored database may have none, and contents that were given up had one.
// Without space the next start writes. Errors: errBadRow for contents of another folder.
func (e *engine) claimContents() error {
	row, err := e.readIdentity()
	if err != nil {
		return e.unclaimed(err)
	}
	name := e.cfg.FS.PathJoin(e.files.dir, identityFile)
	text, err := readWhole(e.cfg.FS, name)
	if err != nil && !isNotExist(err) {
		return e.unclaimed(err)
	}
	file := decodeIdentity(text)
	switch none := (identity{}); {
	case row == file && row != none:
		return nil
	case row != none && file != none:
		return fmt.Errorf("%s: %w: the contents are of another data folder: bring the folder %s of this data folder back, or mount its disk; "+
			"if the contents are of this data folder, remove the file", name, errBadRow, contentDir)
	case row == none:
		if row = file; row == none {
			rand.Read(row[:])
		}
		if err := e.writeIdentity(row); err != nil || file != none {
			return e.unclaimed(err)
		}
	}
	return e.unclaimed(writeDurably(e.cfg.FS, e.files.dir, identityFile, row.encode()))
}

// unclaimed logs the reason why the contents are not compared. The server starts all the same.
func (e *engine) unclaimed(err error) error {
	if err != nil {
		e.cfg.Logger.Warn("embedded store: cannot see or say to which data folder the contents belong; the next start tries again", "cause", err.Error())
	}
	return nil
}

// readIdentity returns the identity of the database; the zero identity without a row.
func (e *engine) readIdentity() (i identity, err error) {
	err = e.link.read("read the identity", func(db *pebble.DB) error {
		v, err := get(db, identityKey())
		if err != nil {
			return err
		}
		if len(v) != 1+len(i) || v[0] != rowVersion {
			return errBadRow
		}
		copy(i[:], v[1:])
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return i, err
}

func (e *engine) writeIdentity(i identity) error {
	d, err := e.link.useWriting()
	defer e.link.done()
	if err == nil {
		err = d.db.Set(identityKey(), append([]byte{rowVersion}, i[:]...), pebble.Sync)
		if fault := d.fs.broken(); fault != nil {
			err = downErr(fault)
		}
	}
	return err
}
