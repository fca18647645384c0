package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// counted reads the counts of a store: hedged reads, and attempts at statements by outcome.
func counted(t *testing.T, registry *prometheus.Registry) (hedged float64, outcomes map[string]uint64) {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	outcomes = map[string]uint64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			switch family.GetName() {
			case "popelago_cassandra_hedged_reads_total":
				hedged = m.GetCounter().GetValue()
			case "popelago_cassandra_statement_seconds":
				outcomes[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
			}
		}
	}
	return hedged, outcomes
}

// observed holds the statements of one store.
type observed struct {
	mu   sync.Mutex
	list []cassandra.Statement
}

func (o *observed) observe(st cassandra.Statement) {
	seen.Observe(st)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, st)
}

// take returns the statements since the last call.
func (o *observed) take() []cassandra.Statement {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.list
	o.list = nil
	return list
}

// outcomesOf counts the lost attempts of a list of statements, in which the hedge won, and the failed
// attempts.
func outcomesOf(list []cassandra.Statement) (lost, failed uint64) {
	for _, st := range list {
		switch {
		case errors.Is(st.Err, context.Canceled):
			lost++
		case st.Err != nil:
			failed++ // for instance when the connection to the hanging node is closed
		}
	}
	return lost, failed
}

// A node hangs: reads for the node use another node after about the speculative delay, long before
// the time-out. They are counted, and no caller gets an error. On a slow machine the node counts as
// down after a few reads: it hangs again until the reads were enough.
func TestHedgedReads(t *testing.T) {
	cfg := onTrio(t, 3)
	const delay, enough = 300 * time.Millisecond, 8
	cfg.SpeculativeDelay = delay
	registry := prometheus.NewRegistry()
	cfg.Registerer = registry
	var own observed // of this store, including its own background statements, which are counted, too
	cfg.Observe = own.observe
	s := enginetest.Open(t, cfg)
	var mailboxes []mail.MailboxID
	for i := range 200 {
		mailboxes = append(mailboxes, enginetest.Mailbox(fmt.Sprint("hedged", i)))
		enginetest.Add(t, s, mailboxes[i], enginetest.Message(10))
	}
	c := trio.Get(t)
	paused := c.Node("dc1-2")
	var succeeded, lost, failed uint64
	count := func(list []cassandra.Statement) {
		for _, st := range list {
			if late := (*gocql.RequestErrReadTimeout)(nil); errors.As(st.Err, &late) {
				t.Errorf("node %s waited for the hanging node until %v: %s", st.Host, st.Err, st.CQL)
			}
		}
		l, f := outcomesOf(list)
		succeeded, lost, failed = succeeded+uint64(len(list))-l-f, lost+l, failed+f
	}
	answeredByPaused := func(list []cassandra.Statement) string {
		for _, st := range list {
			if st.Err == nil && st.Host == paused.Address && !enginetest.IsHeartbeat(st.CQL) {
				return st.CQL
			}
		}
		return ""
	}

	var waited []time.Duration // by reads with a hedged statement
	hang := func() {
		// The store uses the node, and statements are prepared there.
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			for _, mb := range mailboxes[:20] {
				if _, err := enginetest.List(t.Context(), s, mb); err != nil {
					return err
				}
			}
			list := own.take()
			count(list)
			if answeredByPaused(list) == "" {
				return errors.New("the node answers no reads of this store")
			}
			return nil
		})
		last, _ := counted(t, registry)
		if err := paused.Pause(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := errors.Join(paused.Resume(), c.WaitSeen(t.Context())); err != nil {
				t.Error(err)
			}
		}()
		count(own.take())
		for _, mb := range mailboxes[20:] {
			began := time.Now()
			rows, err := enginetest.List(t.Context(), s, mb)
			took := time.Since(began)
			if err != nil || len(rows) != 1 {
				t.Fatalf("a read while a node hangs: %d rows after %v: %v", len(rows), took, err)
			}
			now, _ := counted(t, registry)
			hedged := now > last
			last = now
			if !hedged || took < delay { // a shorter read: another read of the store itself
				continue
			}
			if waited = append(waited, took); len(waited) == enough {
				break
			}
		}
		// The slower attempts end by themselves: abandoned, or with an error when the connection to
		// the hanging node is closed.
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			list := own.take()
			count(list)
			if cql := answeredByPaused(list); cql != "" {
				t.Errorf("the hanging node has answered %s", cql)
			}
			_, outcomes := counted(t, registry)
			if outcomes["ok"] != succeeded || outcomes["abandoned"] != lost || outcomes["error"] != failed {
				return fmt.Errorf("%d attempts succeeded, %d lost and %d failed, but counted were %v", succeeded, lost, failed, outcomes)
			}
			return nil
		})
	}
	for times := 0; len(waited) < enough; times++ {
		if times == 20 {
			t.Fatalf("%d reads were hedged: %v", len(waited), waited)
		}
		hang()
	}
	slices.Sort(waited)
	t.Logf("%d reads were hedged, with a delay of %v: %v; %d attempts lost and %d failed", len(waited), delay, waited, lost, failed)
	if lost == 0 {
		t.Error("no attempt was abandoned after the success of the hedge")
	}
	// Some reads take longer than the delay: the second node may wait for the hanging node, too, until it asks
	// the third node (speculative_retry).
	if slowest := waited[len(waited)-1]; slowest >= cfg.Timeout {
		t.Errorf("a hedged read took %v, the time-out is %v", slowest, cfg.Timeout)
	}
}
