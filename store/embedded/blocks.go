package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"popelago/store/codec"
)

// The file of a large content:
//
//	16 octets  header: "PLGC", version 1 (4 octets, little endian), nonce
//	then blocks of up to 64 KiB, all full but the last:
//	  4 octets   CRC-32C of nonce, block number (8 octets, little endian) and data
//	  data       up to 65,532 octets
//
// The file of a coded content has version 2, and blocks of
//
//	4 octets   CRC-32C of nonce, block number, length and coded data
//	4 octets   length of the coded data, little endian
//	coded data, see package codec; for up to 65,532 octets
//
// The row of the content also holds its size and the nonce. So a misplaced block, a block of another file
// and a truncated file are found like a flipped bit.
const (
	fileMagic    = "PLGC"
	fileVersion  = 1
	codedVersion = 2
	fileHeader   = 16
	blockSize    = 64 << 10
	blockPrefix  = 4
	codedPrefix  = 8
	blockPayload = blockSize - blockPrefix
)

// fileLength returns the length of the file of a raw content of a size.
func fileLength(size int64) int64 {
	blocks := (size + blockPayload - 1) / blockPayload
	return fileHeader + size + blockPrefix*blocks
}

// blockBuffer holds one block, or a small content being written.
type blockBuffer [blockSize]byte

// blockPool holds the buffers of contents being written or read.
var blockPool = sync.Pool{New: func() any { return new(blockBuffer) }}

// codedBuffer holds one coded block.
type codedBuffer [codedPrefix + blockPayload + codedSlack]byte

// codedSlack is room for compressed data that is longer than the data.
const codedSlack = 1 << 10

// codedPool holds the buffers of coded contents being written or read.
var codedPool = sync.Pool{New: func() any { return new(codedBuffer) }}

func encodeFileHeader(id codec.ID, nonce [8]byte) (h [fileHeader]byte) {
	copy(h[:], fileMagic)
	version := uint32(fileVersion)
	if id != codec.Raw {
		version = codedVersion
	}
	binary.LittleEndian.PutUint32(h[4:8], version)
	copy(h[8:], nonce[:])
	return h
}

var errBadFile = fmt.Errorf("%w: content file", errBadRow)

// checkFileHeader verifies that h is the header of the file with the given codec and nonce.
func checkFileHeader(h []byte, id codec.ID, nonce [8]byte) error {
	if want := encodeFileHeader(id, nonce); string(h) != string(want[:]) {
		return fmt.Errorf("%w: wrong header", errBadFile)
	}
	return nil
}

// blockSum returns the checksum of block n.
func blockSum(nonce [8]byte, n int64, data []byte) uint32 {
	var seed [16]byte
	copy(seed[:8], nonce[:])
	binary.LittleEndian.PutUint64(seed[8:], uint64(n))
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, data)
}

// sealBlock puts the checksum in front of the data of block n and returns the whole block.
// The data are b[blockPrefix : blockPrefix+size].
func sealBlock(b *blockBuffer, size int, nonce [8]byte, n int64) []byte {
	binary.LittleEndian.PutUint32(b[:blockPrefix], blockSum(nonce, n, b[blockPrefix:blockPrefix+size]))
	return b[:blockPrefix+size]
}

// sealCodedBlock puts the checksum and the length in front of a coded block and returns the whole block. form
// may be in b, behind the prefix.
func sealCodedBlock(b *codedBuffer, form []byte, nonce [8]byte, n int64) []byte {
	block := b[:codedPrefix+copy(b[codedPrefix:], form)]
	binary.LittleEndian.PutUint32(block[blockPrefix:], uint32(len(form)))
	binary.LittleEndian.PutUint32(block, blockSum(nonce, n, block[blockPrefix:]))
	return block
}

// checkBlock verifies block n and returns its data.
func checkBlock(block []byte, nonce [8]byte, n int64) ([]byte, error) {
	if len(block) <= blockPrefix {
		return nil, fmt.Errorf("%w: block %d is cut short", errBadFile, n)
	}
	data := block[blockPrefix:]
	if blockSum(nonce, n, data) != binary.LittleEndian.Uint32(block) {
		return nil, fmt.Errorf("%w: checksum of block %d differs", errBadFile, n)
	}
	return data, nil
}

// blockReader reads the data of a content file, and verifies each block before returning its data.
type blockReader struct {
	src   io.Reader
	nonce [8]byte
	left  int64 // octets of data not yet read from src
	next  int64 // number of the next block
	buf   *blockBuffer
	data  []byte // verified, not yet returned
	err   error

	codec codec.ID
	coder *codec.Coder
	coded *codedBuffer // of a coded content
}

// start reads the header and the first block.
func (r *blockReader) start() error {
	var h [fileHeader]byte
	if _, err := io.ReadFull(r.src, h[:]); err != nil {
		return shortFile(err)
	}
	if err := checkFileHeader(h[:], r.codec, r.nonce); err != nil {
		return err
	}
	return r.fill()
}

// fill reads the next block.
func (r *blockReader) fill() error {
	if r.left == 0 {
		return io.EOF
	}
	size := min(r.left, blockPayload)
	read := r.readRaw
	if r.codec != codec.Raw {
		read = r.readCoded
	}
	data, err := read(int(size))
	if err != nil {
		return err
	}
	r.data = data
	r.left -= size
	r.next++
	return nil
}

// readRaw reads the next block of a raw content, with size octets.
func (r *blockReader) readRaw(size int) ([]byte, error) {
	b := r.buf[:blockPrefix+size]
	if _, err := io.ReadFull(r.src, b); err != nil {
		return nil, shortFile(err)
	}
	return checkBlock(b, r.nonce, r.next)
}

// readCoded reads the next block of a coded content, with size octets when decoded.
func (r *blockReader) readCoded(size int) ([]byte, error) {
	if _, err := io.ReadFull(r.src, r.coded[:codedPrefix]); err != nil {
		return nil, shortFile(err)
	}
	length := binary.LittleEndian.Uint32(r.coded[blockPrefix:])
	if length == 0 || length > uint32(size) {
		return nil, fmt.Errorf("%w: block %d has %d octets", errBadFile, r.next, length)
	}
	b := r.coded[:codedPrefix+length]
	if _, err := io.ReadFull(r.src, b[codedPrefix:]); err != nil {
		return nil, shortFile(err)
	}
	if _, err := checkBlock(b, r.nonce, r.next); err != nil {
		return nil, err
	}
	data, err := r.coder.Decode(r.codec, r.buf[:0], b[codedPrefix:], size)
	if err != nil {
		return nil, fmt.Errorf("%w: block %d: %w", errBadFile, r.next, err)
	}
	return data, nil
}

// shortFile distinguishes a truncated file from an unreadable file.
func shortFile(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut short", errBadFile)
	}
	return err
}

func (r *blockReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.data) == 0 {
		if r.err == nil {
			r.err = r.fill()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func (r *blockReader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if len(r.data) == 0 {
			if r.err == nil {
				r.err = r.fill()
			}
			if errors.Is(r.err, io.EOF) {
				return total, nil
			}
			if r.err != nil {
				return total, r.err
			}
		}
		n, err := w.Write(r.data)
		total += int64(n)
		r.data = r.data[n:]
		if err != nil {
			return total, err
		}
	}
}
