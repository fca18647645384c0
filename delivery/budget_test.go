package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/ledger"
	"popelago/store"
	"popelago/trace"
)

// TestRecordsAddBatches counts the statements of deliveries. Trace and audit leave each delivery with the
// statements that it has without them, and add batches beside: fewer than one for each delivery.
func TestRecordsAddBatches(t *testing.T) {
	const deliveries = 300
	pair, domain := servers(t, 0)
	s := pair[0]
	// count returns the statements of a delivery, which must be the same for all deliveries.
	count := func(name string) (statements string) {
		t.Helper()
		for n := range deliveries {
			result := s.send(t, domain, host, fmt.Sprintf("Message-ID: <%s-%d@example.org>\r\n\r\n%s", name, n, deliverytest.Sample), "alice")
			deliverytest.Want(t, result, "ok")
			got := s.took()
			if statements != "" && got != statements {
				t.Fatalf("%s: delivery %d has %s, the one before %s", name, n, got, statements)
			}
			statements = got
		}
		return statements
	}
	without := count("without")
	if strings.Count(without, ",") != 1 {
		t.Errorf("a delivery without records has the statements %s, want two", without)
	}

	// Nothing is written until Flush.
	cfg := trace.DefaultConfig()
	cfg.Trace.Enabled, cfg.Audit.Enabled = true, true
	cfg.FlushEvery, cfg.FlushEvents = time.Hour, 10*deliveries
	keeper, err := trace.New(cfg, store.Single(s.Engine), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close(context.Background())
	s.Server = deliverytest.NewServer(t, delivery.Config{Events: keeper}, ledger.Config{Poll: time.Millisecond}, s.dir, store.Single(s), nil)
	if with := count("with"); with != without {
		t.Errorf("a delivery has the statements %s with records, and %s without", with, without)
	}
	keeper.Flush(t.Context())
	s.mu.Lock()
	rows, batches := s.recorded, s.statements
	s.mu.Unlock()
	for _, one := range batches {
		if one != "insert trace" {
			t.Errorf("the records have the statement %s", one)
		}
	}
	if len(batches) == 0 || len(batches) >= deliveries {
		t.Errorf("%d deliveries are recorded in %d batches", deliveries, len(batches))
	}
	// The address, the message and its field Message-ID find a delivery.
	if rows != 3*deliveries {
		t.Errorf("%d deliveries are recorded in %d rows, want 3 for each", deliveries, rows)
	}
	t.Logf("each delivery: %s; for %d deliveries %d rows in %d batches", without, deliveries, rows, len(batches))
}
