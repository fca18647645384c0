package pop3server_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// openStore opens an embedded store in memory, which is closed at the end of the test.
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
	return store.Single(st)
}

// onMail sets up another server for the accounts of f, which reaches the mailboxes through m.
func onMail(t testing.TB, f *pop3test.Fixture, m store.Mail, cfg pop3server.Config) *pop3test.Fixture {
	t.Helper()
	return f.On(t, storetest.WithMail(f.Store, m), cfg)
}

func TestTranscripts(t *testing.T) {
	pop3test.RunTranscripts(t, "testdata/pop3/*.txt", func(t *testing.T) store.Store { return openStore(t) })
}
