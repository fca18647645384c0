package cassandra_test

import (
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/enginetest"
)

// A dropped content leaves no chunk, and does not come back with a write that is still in flight. Other contents stay.
func TestDropContent(t *testing.T) {
	cfg := config(t)
	enginetest.Apply(t, cfg)
	s := enginetest.Reopen(t, cfg)
	put := func(octets int) (id [16]byte) {
		content, err := s.NewContent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := content.Write(make([]byte, octets)); err != nil {
			t.Fatal(err)
		}
		next := ids.Next()
		if err := s.PutContent(t.Context(), next, content, store.ContentInfo{}); err != nil {
			t.Fatal(err)
		}
		return next
	}
	look := session(t, cfg)
	chunks := func(id [16]byte) (n int) {
		for chunk := range 4 {
			cql := fmt.Sprintf("SELECT message FROM %s.content WHERE message = ? AND chunk = ?", cfg.Keyspace)
			n += look.Query(cql, gocql.UUID(id), chunk).IterContext(t.Context()).NumRows()
		}
		return n
	}
	const large = 3 * 256 << 10
	small, whole, kept := put(0), put(large), put(large)
	for id, size := range map[[16]byte]int64{small: 0, whole: large, ids.Next(): large} {
		if err := s.DropContent(t.Context(), id, size); err != nil {
			t.Error(err)
		}
		if n := chunks(id); n != 0 {
			t.Errorf("a content of %d octets has %d chunks after it was dropped", size, n)
		}
	}
	if n := chunks(kept); n != 3 {
		t.Errorf("another content has %d chunks", n)
	}
	content, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutContent(t.Context(), small, content, store.ContentInfo{}); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.OpenContent(t.Context(), small, "")
	enginetest.WantClass(t, "a content that was put after it was dropped", err, store.ErrNotFound)
}
