package cassandra

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"popelago/store"
)

func TestTextRoundTrip(t *testing.T) {
	for _, s := range []string{"", "a", "jörg", "\x00", "\xFF", "a\xFFb", hexMark, hexMark + "zz", "\x00hex", strings.Repeat("\x80", 300)} {
		coded := encodeText(s)
		if !utf8.ValidString(coded) {
			t.Errorf("%q is coded as %q, which is not UTF-8", s, coded)
		}
		if got, err := decodeText(coded); err != nil || got != s {
			t.Errorf("%q: coded as %q, decoded as %q, %v", s, coded, got, err)
		}
	}
	if encodeText("plain") != "plain" {
		t.Error("plain text is stored in another form")
	}
	if _, err := decodeText(hexMark + "xy"); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("damaged text: %v", err)
	}
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		size   int64
		chunks int
		last   int
	}{
		{0, 1, 0}, {1, 1, 1}, {chunkSize, 1, chunkSize}, {chunkSize + 1, 2, 1}, {3 * chunkSize, 3, chunkSize},
	} {
		if n := chunksOf(c.size); n != c.chunks || lengthOf(n-1, c.size) != c.last {
			t.Errorf("%d octets: %d chunks, the last with %d; want %d and %d", c.size, n, lengthOf(n-1, c.size), c.chunks, c.last)
		}
	}
}

// The shards are part of stored keys: the values can never change.
func TestShardsStay(t *testing.T) {
	for local, want := range map[string]int{"": 69, "alice": 103, "bob": 84} {
		if got := addressShard(local); got != want {
			t.Errorf("shard of %q: %d, want %d", local, got, want)
		}
	}
	if got := trashShard([16]byte{15: 0x3A}); got != 58 {
		t.Errorf("shard of the trash: %d, want 58", got)
	}
}
