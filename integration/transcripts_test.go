package integration

import (
	"testing"
	"time"

	"popelago/pop3server/pop3test"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/cassandra"
)

// TestTranscriptsOnCassandra runs the transcripts of all protocols on the Cassandra engine;
// pop3server and smtpserver run them on the embedded engine.
func TestTranscriptsOnCassandra(t *testing.T) {
	node.Setup(t)
	open := func(t *testing.T) store.Store {
		node.Empty(t)
		st, err := cassandra.Open(t.Context(), cassandra.Config{
			Hosts:      node.Get(t).Addresses("dc1"),
			Datacenter: "dc1",
			Keyspace:   node.Keyspace,
			SpoolDir:   t.TempDir(),
			Timeout:    2 * time.Minute, ConnectTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Errorf("close the store: %v", err)
			}
		})
		return store.New(st.Levels())
	}
	t.Run("pop3", func(t *testing.T) {
		pop3test.RunTranscripts(t, "../pop3server/testdata/pop3/*.txt", open)
	})
	smtptest.RunTranscripts(t, "../smtpserver/testdata", open)
}
