package cassandra

import (
	"bytes"
	"testing"
)

// TestSpoolsAreBounded: the messages being written take a bounded memory together, however many there are; beyond, each keeps
// its octets in a file.
func TestSpoolsAreBounded(t *testing.T) {
	spools := &spools{}
	dir := t.TempDir()
	const n = maxSpools/chunkSize + 20
	contents := make([]*content, n)
	for i := range contents {
		contents[i] = &content{dir: dir, spools: spools}
		for range chunkSize / (32 << 10) {
			if _, err := contents[i].Write(bytes.Repeat([]byte{byte(i)}, 32<<10)); err != nil {
				t.Fatal(err)
			}
		}
	}
	held, files := 0, 0
	for i, c := range contents {
		held += len(c.memory)
		if c.file != nil {
			files++
		}
		got, err := c.chunk(0)
		if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, chunkSize)) || c.chunks() != 1 {
			t.Errorf("content %d: %d octets in %d chunks, %v", i, len(got), c.chunks(), err)
		}
	}
	if held > maxSpools || int64(held) != spools.octets.Load() || files != 20 {
		t.Errorf("%d octets in memory, %d counted, and %d files; want at most %d, and 20 files", held, spools.octets.Load(), files, maxSpools)
	}
	small := &content{dir: dir, spools: spools}
	if _, err := small.Write(make([]byte, smallSpool)); err != nil || small.file != nil {
		t.Errorf("a small message: file %v, %v", small.file, err)
	}
	small.Discard()
	for _, c := range contents {
		c.Discard()
		c.Discard()
	}
	if left := spools.octets.Load(); left != 0 {
		t.Errorf("%d octets are still counted", left)
	}
}
