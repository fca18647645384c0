package app

import "testing"

// CloseStore takes the store away from a running server.
func CloseStore(t *testing.T, a *App) {
	t.Helper()
	if err := a.engine.store.Close(); err != nil {
		t.Fatal(err)
	}
}
