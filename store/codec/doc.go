// Package codec compresses the contents of messages for the engines, one chunk at a time.
//
// A chunk is compressed by itself, as one frame of zstd (RFC 8878). So a reader holds one chunk at a time,
// and the header of a large message costs one chunk. The number of the codec is stored with the content,
// and the uncompressed size, which gives the length of each chunk.
//
// The first chunk decides for the content: if zstd makes it less than 5% shorter, the content stays raw. In a
// compressed content, zstd may still fail to make a chunk shorter. Such a chunk is stored raw. A reader tells
// the two apart by their lengths: a raw chunk has the length of the chunk, and a compressed chunk is shorter.
// So a chunk can be read whichever of two writes of the same content has left it.
//
// Numbers of codecs, and the form of their chunks, never change. A codec with a higher number must read the
// chunks of all lower numbers.
package codec
