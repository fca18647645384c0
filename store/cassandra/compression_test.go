package cassandra_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/codec"
	"popelago/store/storetest"
)

// noise returns octets that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// storedContent returns the codec of a content, and the octets of its chunks as stored.
func storedContent(t *testing.T, cfg cassandra.Config, id mail.MessageID, chunks int) (coded *int, octets int) {
	t.Helper()
	for n := range chunks {
		var data []byte
		var of *int
		if err := session(t, cfg).Query("SELECT data, codec FROM "+cfg.Keyspace+".content WHERE message = ? AND chunk = ?", gocql.UUID(id), n).Scan(&data, &of); err != nil {
			t.Fatal(err)
		}
		octets += len(data)
		if n == 0 {
			coded = of
		} else if of != nil {
			t.Errorf("chunk %d has codec %d", n, *of)
		}
	}
	return coded, octets
}

// Contents are stored compressed where that saves space, and without a mark where it does not. The size stays
// the size of the octets received, and a server without compression reads all.
func TestCompression(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	s := open(t, cfg)
	cfg.Compression = codec.MethodNone
	cfg.Server = "plain"
	plain := reopen(t, cfg)
	letter := bench.Messages{Seed: 1, Size: 8192, Realistic: true}.Text(1)
	large := bench.Messages{Seed: 1, Size: 700_000, Realistic: true}.Text(1)
	const chunk = 256 << 10
	mb := mailbox("compression")
	for name, x := range map[string]struct {
		data  []byte
		coded bool
		most  float64
	}{
		"empty":                   {nil, false, 1},
		"one octet":               {[]byte("x"), false, 1},
		"a letter":                {letter, true, 0.6},
		"noise":                   {noise(8192), false, 1},
		"an attachment":           {large, true, 0.8},
		"a chunk":                 {large[:chunk], true, 0.8},
		"a chunk and an octet":    {large[:chunk+1], true, 0.8},
		"noise in chunks":         {noise(600_000), false, 1},
		"noise behind an article": {append(bytes.Clone(large[:chunk]), noise(300_000)...), true, 0.95},
		"an article behind noise": {append(noise(chunk), large[:300_000]...), false, 1},
	} {
		for server, s := range map[string]*cassandra.Store{"zstd": s, "none": plain} {
			id := ids.Next()
			if err := storetest.Put(t.Context(), s, id, x.data, 10_000, store.ContentInfo{Mailboxes: []mail.MailboxID{mb}}); err != nil {
				t.Fatal(err)
			}
			coded, octets := storedContent(t, cfg, id, max(1, (len(x.data)+chunk-1)/chunk))
			switch {
			case server == "none" || !x.coded:
				if coded != nil || octets != len(x.data) {
					t.Errorf("%s, %s: codec %v, %d octets for %d; want them raw, and no codec", name, server, coded, octets, len(x.data))
				}
			case coded == nil || *coded != int(codec.Zstd) || float64(octets) > x.most*float64(len(x.data)):
				t.Errorf("%s, %s: codec %v, %d octets for %d; want codec 1, at most %.0f", name, server, coded, octets, len(x.data), x.most*float64(len(x.data)))
			}
			for reading, s := range map[string]*cassandra.Store{"zstd": s, "none": plain} {
				info, got, err := storetest.Read(t.Context(), s, id)
				if err != nil || info.Size != int64(len(x.data)) || !bytes.Equal(got, x.data) {
					t.Errorf("%s, written by %s, read by %s: %d octets of %d, size %d, %v", name, server, reading, len(got), len(x.data), info.Size, err)
				}
			}
		}
	}
	cfg.Compression = "gzip"
	if _, err := cassandra.Open(t.Context(), cfg); err == nil {
		t.Error("an unknown method was taken")
	}
}

// Contents of earlier releases have no codec.
func TestReadsUncompressed(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	s := open(t, cfg)
	const chunk = 256 << 10
	text := bench.Messages{Seed: 1, Size: chunk + 5000, Realistic: true}.Text(1)
	id := ids.Next()
	insert := func(n int, data []byte, columns, marks string, values ...any) {
		t.Helper()
		q := "INSERT INTO " + cfg.Keyspace + ".content (message, chunk, data" + columns + ") VALUES (?, ?, ?" + marks + ") USING TIMESTAMP ?"
		if err := session(t, cfg).Query(q, append(append([]any{gocql.UUID(id), n, data}, values...), id.Micros())...).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	insert(1, text[chunk:], "", "")
	insert(0, text[:chunk], ", size, chunks, recipients, reverse_path", ", ?, ?, ?, ?", int64(len(text)), 2, []gocql.UUID{{1}}, "a@example.test")
	want := func(what string) {
		t.Helper()
		info, got, err := storetest.Read(t.Context(), s, id)
		if err != nil || !bytes.Equal(got, text) || info.Size != int64(len(text)) {
			t.Errorf("%s: %d octets of %d, %v", what, len(got), len(text), err)
		}
	}
	want("without codec")
	// Two servers with different settings may both have put a content. Cassandra keeps one of two values
	// with the same timestamp, cell by cell: a raw chunk may get a codec.
	insert(0, text[:chunk], ", codec", ", ?", int8(codec.Zstd))
	want("raw, with a codec")
}

// A content of a later release is a temporary fault, and damage is called damage, in every chunk.
func TestDamagedAndUnknownContents(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	s := open(t, cfg)
	const chunk = 256 << 10
	text := bench.Messages{Seed: 1, Size: chunk + 5000, Realistic: true}.Text(1)
	mb := mailbox("damage")
	for name, x := range map[string]struct {
		chunk  int
		change func(data []byte) []byte
		codec  int8
		class  error
	}{
		"whole":                  {0, bytes.Clone, 1, nil},
		"a later codec":          {0, bytes.Clone, 2, store.ErrUnavailable},
		"a negative codec":       {0, bytes.Clone, -1, store.ErrUnavailable},
		"a flipped bit":          {0, func(d []byte) []byte { d[len(d)/2] ^= 1; return d }, 1, store.ErrCorrupt},
		"cut short":              {0, func(d []byte) []byte { return d[:100] }, 1, store.ErrCorrupt},
		"empty":                  {0, func(d []byte) []byte { return d[:0] }, 1, store.ErrCorrupt},
		"too long":               {0, func(d []byte) []byte { return append(d, make([]byte, chunk)...) }, 1, store.ErrCorrupt},
		"without its codec":      {0, bytes.Clone, 0, store.ErrCorrupt},
		"a flipped bit, behind":  {1, func(d []byte) []byte { d[len(d)/2] ^= 1; return d }, 1, store.ErrCorrupt},
		"another chunk, behind":  {1, func(d []byte) []byte { return text[:4000] }, 1, store.ErrCorrupt},
		"the end is cut, behind": {1, func(d []byte) []byte { return d[:len(d)-1] }, 1, store.ErrCorrupt},
	} {
		id := ids.Next()
		if err := storetest.Put(t.Context(), s, id, text, 10_000, store.ContentInfo{Mailboxes: []mail.MailboxID{mb}}); err != nil {
			t.Fatal(err)
		}
		var data []byte
		table := cfg.Keyspace + ".content"
		if err := session(t, cfg).Query("SELECT data FROM "+table+" WHERE message = ? AND chunk = ?", gocql.UUID(id), x.chunk).Scan(&data); err != nil {
			t.Fatal(err)
		}
		for q, value := range map[string]any{"data": x.change(data), "codec": x.codec} {
			n := x.chunk
			if q == "codec" {
				n = 0
			}
			if err := session(t, cfg).Query("UPDATE "+table+" USING TIMESTAMP ? SET "+q+" = ? WHERE message = ? AND chunk = ?", id.Micros()+1, value, gocql.UUID(id), n).Exec(); err != nil {
				t.Fatal(err)
			}
		}
		_, got, err := storetest.Read(t.Context(), s, id)
		if x.class == nil {
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: %d octets, %v", name, len(got), err)
			}
			continue
		}
		if !errors.Is(err, x.class) || !bytes.HasPrefix(text, got) || x.chunk == 0 && len(got) > 0 {
			t.Errorf("%s: %d octets, %v; want %v", name, len(got), err, x.class)
		}
		if x.class == store.ErrUnavailable {
			rows, err := s.ContentRows(t.Context(), []mail.MessageID{id})
			if err != nil || !errors.Is(rows[id].Damage, store.ErrUnavailable) || rows[id].Info.Size != int64(len(text)) {
				t.Errorf("%s: a check sees %+v, %v", name, rows[id], err)
			}
		}
	}
}
