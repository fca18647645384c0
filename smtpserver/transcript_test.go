package smtpserver_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/embedded"
)

// openStore opens an embedded store in memory, which is closed at the end of the test.
func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return store.Single(st)
}

// newRig sets up a server on an embedded store in memory.
func newRig(t testing.TB, protocol smtpserver.Protocol, change func(*smtptest.Settings)) *smtptest.Fixture {
	t.Helper()
	return smtptest.New(t, openStore(t), protocol, change)
}

func TestTranscripts(t *testing.T) {
	smtptest.RunTranscripts(t, "testdata", func(t *testing.T) store.Store { return openStore(t) })
}
