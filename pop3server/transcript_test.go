package pop3server_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/embedded"
)

// openStore opens an embedded store in memory, closed when the test ends.
func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return st
}

func TestTranscripts(t *testing.T) {
	pop3test.RunTranscripts(t, "testdata/pop3/*.txt", func(t *testing.T) store.Store { return openStore(t) })
}
