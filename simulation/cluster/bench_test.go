package cluster_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// BenchmarkStatements measures statements in a cluster of two datacenters of three nodes. An operation is a write
// and a read at LOCAL_QUORUM: two statements.
func BenchmarkStatements(b *testing.B) {
	for _, clients := range []int{1, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			b.ReportAllocs()
			virtual := inBubble(b, func(n int) {
				w := start(b, nil)
				defer w.Close()
				var wg sync.WaitGroup
				for client := range clients {
					wg.Go(func() { benchClient(b, w, client, n/clients+1) })
				}
				wg.Wait()
			})
			b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "statements/s")
			b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual-s/s")
		})
	}
}

func benchClient(b *testing.B, w *world, client, n int) {
	for i := range n {
		k := client*1000 + i%1000
		err := driver.Exec(w.ctx, w.session, driver.Statement{
			CQL: `INSERT INTO entry (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ?`, Values: []any{k, i / 1000, "some text", int64(i + 1)}, Consistency: gocql.LocalQuorum,
		})
		if err != nil {
			b.Error(err)
			return
		}
		var v string
		err = driver.ScanOne(w.ctx, w.session, driver.Statement{
			CQL: `SELECT v FROM entry WHERE k = ? AND c = ?`, Values: []any{k, i / 1000}, Consistency: gocql.LocalQuorum,
		}, &v)
		if err != nil {
			b.Error(err)
			return
		}
	}
}

// inBubble runs b.N operations in virtual time, and returns how much of it passed. A benchmark cannot open a bubble
// itself, so a test inside does.
func inBubble(b *testing.B, do func(n int)) (passed time.Duration) {
	b.Helper()
	testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			do(b.N)
			passed = time.Since(began)
		})
	}}})
	return passed
}
