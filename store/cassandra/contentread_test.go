package cassandra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
	"popelago/store/codec"
)

// replicaAnswer is the answer of the replicas at one consistency.
type replicaAnswer int

const (
	hit replicaAnswer = iota
	miss
	damage
	timeout
	unavailable
)

// fakeReplicas answers reads of one content by consistency.
type fakeReplicas struct {
	driver.Session // for the methods that no read calls
	chunks         [][]byte
	size           int64
	codec          codec.ID
	answers        map[gocql.Consistency]replicaAnswer
	slow           bool // the first statement waits for the end of its context

	mu    sync.Mutex
	asked []string // chunk and consistency
}

func (f *fakeReplicas) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	n := st.Values[1].(int)
	f.mu.Lock()
	f.asked = append(f.asked, fmt.Sprintf("%d %v", n, st.Consistency))
	first := len(f.asked) == 1
	f.mu.Unlock()
	if first && f.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	switch f.answers[st.Consistency] {
	case miss:
		return &fakeRows{}, nil
	case timeout:
		return nil, gocql.ErrTimeoutNoResponse
	case unavailable:
		return nil, gocql.ErrNoConnections
	}
	data := f.chunks[n]
	if f.answers[st.Consistency] == damage {
		data = data[:len(data)-1]
	}
	return &fakeRows{row: func(dest []any) {
		*dest[0].(*[]byte) = bytes.Clone(data)
		if len(dest) > 1 {
			*dest[1].(**int64), *dest[2].(*int), *dest[3].(*int) = &f.size, len(f.chunks), int(f.codec)
		}
	}}, nil
}

type fakeRows struct{ row func(dest []any) }

func (r *fakeRows) Len() int     { return 0 }
func (r *fakeRows) Page() []byte { return nil }
func (r *fakeRows) Next() bool   { return r.row != nil }
func (r *fakeRows) Close() error { return nil }
func (r *fakeRows) Scan(dest ...any) error {
	r.row(dest)
	r.row = nil
	return nil
}

// statements returns chunk and consistency of each statement so far.
func (f *fakeReplicas) statements() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// contentsOn returns contents that read from replicas, at a level. Reads are hedged only if a replica is slow.
func contentsOn(t *testing.T, f *fakeReplicas, name levelName, confirming bool) *contents {
	t.Helper()
	hedgeAfter := time.Duration(-1) // a busy machine is no slow replica
	if f.slow {
		hedgeAfter = 10 * time.Millisecond
	}
	cfg, err := Config{Hosts: []string{"x"}, Datacenter: "dc1", SpeculativeDelay: hedgeAfter}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	l := limit.New(limit.Config{Most: 8, QueueTime: time.Second})
	at := level{name, &link{}}
	at.link.confirming.Store(confirming)
	return &contents{at: at, cfg: cfg, run: newRunner(cfg, func() (driver.Session, bool) { return f, confirming }, l, newMetrics(l))}
}

// A content is read from one replica, and from more where one does not have it whole.
func TestContentLevels(t *testing.T) {
	const one, quorum, each, all = gocql.LocalOne, gocql.LocalQuorum, gocql.EachQuorum, gocql.All
	text := bytes.Repeat([]byte("A line of text.\r\n"), 20_000) // two chunks
	coder, err := codec.New(codec.MethodZstd)
	if err != nil {
		t.Fatal(err)
	}
	coded, first := coder.First(nil, text[:chunkSize])
	chunks := [][]byte{first, coder.Next(coded, nil, text[chunkSize:])}
	for _, x := range []struct {
		name       string
		level      levelName
		confirming bool
		answers    map[gocql.Consistency]replicaAnswer
		asked      []gocql.Consistency // for each chunk
		err        error
		reread     string
	}{
		{name: "hit", asked: []gocql.Consistency{one}},
		{name: "one replica lacks it", answers: map[gocql.Consistency]replicaAnswer{one: miss}, asked: []gocql.Consistency{one, quorum}, reread: "missing"},
		{name: "one replica is damaged", answers: map[gocql.Consistency]replicaAnswer{one: damage}, asked: []gocql.Consistency{one, quorum}, reread: "damaged"},
		{name: "one replica is slow", answers: map[gocql.Consistency]replicaAnswer{one: timeout}, asked: []gocql.Consistency{one, quorum}, reread: "failed"},
		{name: "the datacenter lacks it", answers: map[gocql.Consistency]replicaAnswer{one: miss, quorum: miss}, asked: []gocql.Consistency{one, quorum, each}, reread: "missing"},
		{name: "nobody has it", answers: map[gocql.Consistency]replicaAnswer{one: miss, quorum: miss, each: miss}, asked: []gocql.Consistency{one, quorum, each}, err: store.ErrNotFound},
		{name: "the others cannot be asked", answers: map[gocql.Consistency]replicaAnswer{one: miss, quorum: miss, each: unavailable}, asked: []gocql.Consistency{one, quorum, each}, err: store.ErrUnavailable},
		{name: "no quorum", answers: map[gocql.Consistency]replicaAnswer{one: miss, quorum: unavailable}, asked: []gocql.Consistency{one, quorum}, err: store.ErrUnavailable},
		{name: "damaged everywhere", answers: map[gocql.Consistency]replicaAnswer{one: damage, quorum: damage}, asked: []gocql.Consistency{one, quorum}, err: store.ErrCorrupt},
		{name: "no quorum, but a replica", answers: map[gocql.Consistency]replicaAnswer{quorum: unavailable}, asked: []gocql.Consistency{one}},
		{name: "after a failover", confirming: true, answers: map[gocql.Consistency]replicaAnswer{one: miss}, asked: []gocql.Consistency{one, each}, reread: "missing"},
		{name: "at the level Each", level: levelEach, asked: []gocql.Consistency{each}},
		{name: "background work", level: levelAll, asked: []gocql.Consistency{all}},
		{name: "background work, missing", level: levelAll, answers: map[gocql.Consistency]replicaAnswer{all: miss}, asked: []gocql.Consistency{all}, err: store.ErrNotFound},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := &fakeReplicas{chunks: chunks, size: int64(len(text)), codec: coded, answers: x.answers}
			c := contentsOn(t, f, x.level, x.confirming)
			_, r, err := c.OpenContent(t.Context(), mail.MessageID{1}, "")
			var got []byte
			if err == nil {
				got, err = io.ReadAll(r)
				r.Close()
			}
			if !errors.Is(err, x.err) || err == nil && !bytes.Equal(got, text) {
				t.Errorf("%d octets, %v; want %v", len(got), err, x.err)
			}
			var want []string
			for n := range chunks {
				for _, level := range x.asked {
					want = append(want, fmt.Sprintf("%d %v", n, level))
				}
				if x.err != nil {
					break
				}
			}
			// A statement that finds no node is tried at others by the driver, not here.
			if asked := f.statements(); !slices.Equal(asked, want) {
				t.Errorf("asked %q, want %q", asked, want)
			}
			for _, reason := range []string{"missing", "damaged", "failed"} {
				n := testutil.ToFloat64(c.run.metrics.again.WithLabelValues(reason))
				if x.err == nil && (n > 0) != (reason == x.reread) {
					t.Errorf("%v reads repeated because of %q", n, reason)
				}
			}
		})
	}
}

// A replica that does not answer costs the delay of the second node, not the time-out.
func TestContentIsHedged(t *testing.T) {
	f := &fakeReplicas{chunks: [][]byte{[]byte("text")}, size: 4, slow: true}
	_, r, err := contentsOn(t, f, levelLocal, false).OpenContent(t.Context(), mail.MessageID{1}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if asked, want := f.statements(), []string{"0 LOCAL_ONE", "0 LOCAL_ONE"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// A client that has gone, and an overloaded store, end the reading.
func TestContentGivesUp(t *testing.T) {
	f := &fakeReplicas{chunks: [][]byte{[]byte("text")}, size: 4, answers: map[gocql.Consistency]replicaAnswer{gocql.LocalOne: miss}}
	c := contentsOn(t, f, levelLocal, false)
	c.run.close()
	if _, _, err := c.OpenContent(t.Context(), mail.MessageID{1}, ""); !errors.Is(err, store.ErrClosed) || len(f.statements()) > 0 {
		t.Errorf("closed: %v, asked %q", err, f.statements())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := contentsOn(t, f, levelLocal, false).OpenContent(ctx, mail.MessageID{1}, ""); !errors.Is(err, store.ErrUnavailable) || len(f.statements()) > 0 {
		t.Errorf("cancelled: %v, asked %q", err, f.statements())
	}
}

// An early read of a busy server is refused at once, sends nothing, and is no overload. The same read is sent as soon as somebody
// waits for it.
func TestContentEarly(t *testing.T) {
	f := &fakeReplicas{chunks: [][]byte{[]byte("text")}, size: 4}
	c := contentsOn(t, f, levelLocal, false)
	most := c.run.limit.State().Limit
	for range most - 1 {
		if !c.run.tryEnter(limit.Foreground) {
			t.Fatal("no place")
		}
	}
	open := func(ctx context.Context) error {
		_, r, err := c.OpenContent(ctx, mail.MessageID{1}, "")
		if err == nil {
			err = r.Close()
		}
		return err
	}
	if err := open(store.Early(t.Context())); err != nil {
		t.Errorf("early, with a free place: %v", err)
	}
	if !c.run.tryEnter(limit.Foreground) {
		t.Fatal("no place")
	}
	if err := open(store.Early(t.Context())); !errors.Is(err, store.ErrOverloaded) || len(f.statements()) != 1 {
		t.Errorf("early, without a free place: %v, asked %q", err, f.statements())
	}
	if n := testutil.ToFloat64(c.run.metrics.overloaded); n != 0 {
		t.Errorf("%v overloads", n)
	}
	c.run.leave(limit.Foreground)
	if err := open(t.Context()); err != nil || len(f.statements()) != 2 {
		t.Errorf("awaited: %v, asked %q", err, f.statements())
	}
	for range most - 1 {
		c.run.leave(limit.Foreground)
	}
}
