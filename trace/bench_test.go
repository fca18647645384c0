package trace_test

import (
	"context"
	"strings"
	"testing"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/event"
	"popelago/store"
	"popelago/trace"
)

// later is a listener that a benchmark sets once the store is open.
type later struct{ event.Listener }

// BenchmarkDeliver delivers messages of 4 KiB into a folder on the disk, from many senders at once: without
// records, and with trace and audit.
func BenchmarkDeliver(b *testing.B) {
	text := "Message-ID: <1@example.org>\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 55)
	for _, recorded := range []bool{false, true} {
		name := "without"
		if recorded {
			name = "with"
		}
		b.Run(name, func(b *testing.B) {
			l := &later{}
			o := deliverytest.Options{Dir: b.TempDir()}
			o.Wrap = func(s store.Store) store.Store {
				cfg := trace.DefaultConfig()
				cfg.Trace.Enabled, cfg.Audit.Enabled = true, true
				k, err := trace.New(cfg, s, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { k.Close(context.Background()) })
				l.Listener = k
				return s
			}
			if recorded {
				o.Delivery = delivery.Config{Events: l}
			}
			w := deliverytest.New(b, o)
			e := w.Envelope(b, "alice")
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := w.Deliver(context.Background(), e, strings.NewReader(text))[0]; err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
