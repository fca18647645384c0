package nodes

import (
	"context"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/enginetest"
)

// A message is not written without its marker.
func TestBulkPausedNode(t *testing.T) {
	cfg := config(t)
	patient := enginetest.Open(t, cfg)
	s := impatient(t, cfg)
	mb, since := enginetest.Mailbox("paused"), time.Now().Add(-time.Hour)
	m := enginetest.Message(1)
	resume := enginetest.Pause(t, cluster.Get(t).Node("dc1-1"))
	defer resume()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	entry := store.Entry{Mailbox: mb, Message: m, Bulk: since}
	enginetest.WantClass(t, "AddMessages", s.AddMessages(ctx, []store.Entry{entry})[0], store.ErrUnavailable)
	_, err := s.SetBulk(ctx, mb)
	enginetest.WantClass(t, "SetBulk", err, store.ErrOutcomeUnknown)
	resume()
	mailtest.WaitFor(t, 10*time.Minute, func() error { return s.AddMessages(t.Context(), []store.Entry{entry})[0] })
	enginetest.WantRows(t, patient, mb, m)
}
