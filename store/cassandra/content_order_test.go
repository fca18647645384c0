package cassandra_test

import (
	"context"
	"strings"
	"testing"

	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// A content with a chunk 0 is complete: while another chunk is missing, the content cannot be opened.
func TestFirstChunkLast(t *testing.T) {
	cfg := config(t)
	enginetest.Apply(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Observe = func(st cassandra.Statement) {
		seen.Observe(st)
		if strings.HasPrefix(st.CQL, "INSERT INTO content (message, chunk, data) ") {
			cancel()
		}
	}
	s := enginetest.Reopen(t, cfg)
	content, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer content.Discard()
	if _, err := content.Write(make([]byte, 20*256<<10)); err != nil {
		t.Fatal(err)
	}
	id := ids.Next()
	if err := s.PutContent(ctx, id, content, store.ContentInfo{}); err == nil {
		t.Fatal("all chunks were written, although the client had gone")
	}
	_, _, err = s.OpenContent(t.Context(), id, "")
	enginetest.WantClass(t, "content that lacks chunks", err, store.ErrNotFound)
}
