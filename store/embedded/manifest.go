package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble treats a damaged record of its manifest as the torn end of the file, and continues with the
// records before: an old state of the database, which lacks newer mail. But the manifest is synced after
// every record, so only the last record can be torn. If a valid record follows the file is damaged, and
// the database must not be opened.
//
// The manifest is a sequence of blocks of 32 KiB, each a sequence of chunks within the block:
//
//	4 octets  masked CRC-32C of type and data, little endian
//	2 octets  size of the data, little endian
//	1 octet   type, 1 to 4
//	data
const (
	manifestBlock  = 32 << 10
	manifestHeader = 7
)

// checkManifest reports damage of the manifest that Pebble would treat as its end. exists is false without
// a database.
func checkManifest(fs vfs.FS, dir string) (exists bool, err error) {
	desc, err := pebble.Peek(dir, fs)
	if err != nil || !desc.Exists {
		return false, err
	}
	f, err := fs.Open(desc.ManifestFilename)
	if err != nil {
		return true, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return true, err
	}
	if at := damagedAt(b); at >= 0 {
		return true, fmt.Errorf("%s: %w: at octet %d", desc.ManifestFilename, errBadRow, at)
	}
	return true, nil
}

// damagedAt returns the offset of an invalid chunk before a valid chunk, or -1.
func damagedAt(b []byte) int {
	at := 0
	for at < len(b) {
		n := chunkAt(b, at)
		if n == 0 {
			break
		}
		at += n
	}
	for p := at + 1; p < len(b); p++ {
		if chunkAt(b, p) > manifestHeader {
			return at
		}
	}
	return -1
}

// chunkAt returns the length of the valid chunk, or of the padding of a block, at an offset; or 0.
func chunkAt(b []byte, at int) int {
	left := manifestBlock - at%manifestBlock
	if left < manifestHeader {
		return left
	}
	end := min(len(b), at+left)
	if end-at < manifestHeader {
		return 0
	}
	size, kind := int(binary.LittleEndian.Uint16(b[at+4:])), b[at+6]
	if kind < 1 || kind > 4 || at+manifestHeader+size > end {
		return 0
	}
	sum := crc32.Checksum(b[at+6:at+manifestHeader+size], castagnoli)
	if (sum>>15|sum<<17)+0xa282ead8 != binary.LittleEndian.Uint32(b[at:]) {
		return 0
	}
	return manifestHeader + size
}
