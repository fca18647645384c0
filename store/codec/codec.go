package codec

import (
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"popelago/store"
)

// ID is the number of a codec, as stored with a content.
type ID int8

// The codecs.
const (
	Raw  ID = 0
	Zstd ID = 1
)

// Values of the setting for new contents.
const (
	MethodZstd = "zstd"
	MethodNone = "none"
)

// MaxChunk is the length of the longest chunk in octets.
const MaxChunk = 256 << 10

// Coder compresses and decompresses chunks. Its memory depends on the count of processors, not on the count
// of callers. Safe for concurrent use.
type Coder struct {
	enc *zstd.Encoder // nil: new contents stay raw
	dec *zstd.Decoder
	// scratch holds the buffers for compressed chunks until their length is known, one for each processor.
	scratch chan []byte
}

// New returns a Coder. method is MethodZstd or MethodNone; both read all contents.
func New(method string) (*Coder, error) {
	c := &Coder{scratch: make(chan []byte, runtime.GOMAXPROCS(0))}
	for range cap(c.scratch) {
		c.scratch <- nil
	}
	switch method {
	case MethodNone:
	case MethodZstd:
		var err error
		c.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(MaxChunk),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(true), zstd.WithAllLitEntropyCompression(true)) // for base64
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("codec: unknown method %q", method)
	}
	var err error
	c.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(MaxChunk), zstd.WithDecoderMaxMemory(MaxChunk), zstd.WithDecodeAllCapLimit(true))
	return c, err
}

// Compresses reports whether new contents are compressed.
func (c *Coder) Compresses() bool { return c.enc != nil }

// First appends the stored form of the first chunk of a content to dst, and returns the codec for the whole
// content. With Raw it returns dst unchanged: the stored form is the chunk. Without room in dst, the result is
// a new slice of the right length.
func (c *Coder) First(dst, chunk []byte) (ID, []byte) {
	if c.enc == nil || len(chunk) == 0 {
		return Raw, dst
	}
	if out, ok := c.encode(dst, chunk, len(chunk)-len(chunk)/20-1); ok {
		return Zstd, out
	}
	return Raw, dst
}

// Next appends the stored form of another chunk of a content with a codec to dst. It returns dst unchanged if
// the stored form is the chunk.
func (c *Coder) Next(id ID, dst, chunk []byte) []byte {
	if id == Raw || c.enc == nil {
		return dst
	}
	out, _ := c.encode(dst, chunk, len(chunk)-1)
	return out
}

// encode appends a compressed chunk of at most limit octets to dst. It returns dst and false for a longer one.
func (c *Coder) encode(dst, chunk []byte, limit int) ([]byte, bool) {
	if cap(dst) > 0 {
		if out := c.enc.EncodeAll(chunk, dst); len(out)-len(dst) <= limit {
			return out, true
		}
		return dst, false
	}
	scratch := <-c.scratch
	defer func() { c.scratch <- scratch }()
	scratch = c.enc.EncodeAll(chunk, scratch[:0])
	if len(scratch) > limit {
		return dst, false
	}
	return append(make([]byte, 0, len(scratch)), scratch...), true
}

// IsRaw reports whether the stored form of a chunk of length octets is the chunk itself, if the form is valid.
func IsRaw(id ID, stored []byte, length int) bool { return id == Raw || len(stored) == length }

// Decode appends a chunk of length octets to dst, from its stored form, and never more than length octets.
//
// Errors: store.ErrUnavailable for a codec that this release does not know; store.ErrCorrupt.
func (c *Coder) Decode(id ID, dst, stored []byte, length int) ([]byte, error) {
	switch {
	case Known(id) != nil:
		return dst, Known(id)
	case length < 0 || length > MaxChunk || len(stored) > length || id == Raw && len(stored) != length:
		return dst, fmt.Errorf("%w: %d octets stored for %d", store.ErrCorrupt, len(stored), length)
	case len(stored) == length:
		return append(dst, stored...), nil
	}
	before := len(dst)
	if cap(dst)-before < length {
		dst = append(make([]byte, 0, before+length), dst...)
	}
	out, err := c.dec.DecodeAll(stored, dst[:before:before+length])
	switch {
	case err != nil:
		return dst[:before], fmt.Errorf("%w: compressed data: %w", store.ErrCorrupt, err)
	case len(out)-before != length:
		return dst[:before], fmt.Errorf("%w: %d octets from compressed data, not %d", store.ErrCorrupt, len(out)-before, length)
	}
	return out, nil
}

// Known returns a store.ErrUnavailable for a codec that this release does not know: a later release has
// written the content, which is whole.
func Known(id ID) error {
	if id == Raw || id == Zstd {
		return nil
	}
	return fmt.Errorf("%w: the content is coded as %d, which this release does not know", store.ErrUnavailable, id)
}
