package keyload

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// small is a hundredth of the large provider, with fewer mailboxes of programs.
func small() Workload {
	w := DefaultWorkload()
	w.Accounts, w.Messages, w.Bulk, w.Servers = 400_000, 1e7, 1, 2
	return w
}

func compute(t *testing.T, w Workload, clusters ...Cluster) *Report {
	t.Helper()
	r, err := Compute(t.Context(), w, clusters, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// No partition is larger than 100 MB, and no node has 1.3 times the mean load.
func TestBounds(t *testing.T) {
	r := compute(t, small(), Cluster{Nodes: 3, Tokens: 16}, Cluster{Nodes: 12, Tokens: 16}, Cluster{Nodes: 24, Tokens: 16})
	for _, c := range r.Clusters {
		if c.Broken() {
			t.Errorf("%d nodes in a datacenter: the hottest has %.2f of the mean octets, %.2f of the mean requests, most of them in %s",
				c.Cluster.Nodes, c.Octets.Ratio, c.Requests.Ratio, c.RequestsTable)
		}
	}
	for _, p := range r.Partitions {
		if p.Broken() && p.Kind != "the same, and a bulk mailbox removes a day in it" { // docs/scale.md
			t.Errorf("a partition of %s (%s) has %.0f MB", p.Table, p.Kind, p.Octets/1e6)
		}
	}
}

// A layout with few shards and nodes with random tokens break the bounds, so the bounds can be broken.
func TestBoundsAreSeenToBreak(t *testing.T) {
	w := small()
	w.Trace, w.Daily = true, 1000
	r := compute(t, w, Cluster{Nodes: 48, Tokens: 4, Random: true})
	if c := r.Clusters[0]; !c.Broken() || c.Owned < 1.3 {
		t.Errorf("48 nodes with 4 random tokens: %+v", c)
	}
	var trace bool
	for _, p := range r.Partitions {
		trace = trace || p.Table == "trace" && p.Broken()
	}
	if !trace {
		t.Errorf("the trace of 400 million messages a day fits: %+v", r.Partitions)
	}
	if r.Broken() < 2 {
		t.Errorf("%d bounds are broken", r.Broken())
	}
}

// Loads of partitions are neither lost nor doubled: the nodes of a cluster have three replicas of everything.
func TestNothingIsLost(t *testing.T) {
	w := small()
	w.Accounts, w.Trace, w.Undelete = 5_000, true, 22*time.Hour
	clusters := []Cluster{{Nodes: 3, Tokens: 1}, {Nodes: 7, Tokens: 16}, {Nodes: 40, Tokens: 16, Random: true}}
	r := compute(t, w, clusters...)
	// With three nodes, one in each rack, each node has everything.
	all := r.Clusters[0]
	if all.Octets.Ratio != 1 || math.Abs(all.Requests.Ratio-1) > 1e-9 {
		t.Errorf("three nodes differ: %+v", all)
	}
	for _, c := range r.Clusters[1:] {
		sum := c.Octets.Value / c.Octets.Ratio * float64(c.Cluster.Nodes)
		if want := 3 * all.Octets.Value; math.Abs(sum/want-1) > 1e-9 {
			t.Errorf("%d nodes have %.0f octets, want %.0f", c.Cluster.Nodes, sum, want)
		}
		sum = c.Requests.Value / c.Requests.Ratio * float64(c.Cluster.Nodes)
		if want := 3 * all.Requests.Value; math.Abs(sum/want-1) > 1e-9 {
			t.Errorf("%d nodes have %.0f requests, want %.0f", c.Cluster.Nodes, sum, want)
		}
	}
	content := w.Messages * float64(w.Size)
	if all.Octets.Value < content || all.Octets.Value > 1.1*content+w.BulkDaily*float64(w.Size) {
		t.Errorf("a datacenter has %.3g octets, the messages alone %.3g", all.Octets.Value, content)
	}
}

// Nodes that choose tokens as Cassandra does by default have nearly equal parts; random tokens differ.
func TestTokensAreSpread(t *testing.T) {
	for _, nodes := range []int{6, 24, 99} {
		chosen := compute(t, smallest(), Cluster{Nodes: nodes, Tokens: 16}).Clusters[0].Owned
		drawn := compute(t, smallest(), Cluster{Nodes: nodes, Tokens: 16, Random: true}).Clusters[0].Owned
		if chosen > 1.1 || drawn < 1.15 {
			t.Errorf("%d nodes: the largest part is %.2f of the mean with chosen tokens, %.2f with random ones", nodes, chosen, drawn)
		}
	}
}

func smallest() Workload {
	w := small()
	w.Accounts = 10
	return w
}

// The parts of the token range are those of a search through all tokens.
func TestSpread(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	rings := [][]rack{Cluster{Nodes: 5, Tokens: 8}.racks(random), Cluster{Nodes: 30, Tokens: 16}.racks(random)}
	s := newSpread(rings)
	tokens := append([]int64{math.MinInt64 + 1, math.MaxInt64, 0, -1}, s.ends...)
	for range 1000 {
		tokens = append(tokens, int64(random.Uint64()))
	}
	width := 0.0
	for i := range s.ends {
		width += s.width(i)
	}
	if math.Abs(width-1) > 1e-9 {
		t.Errorf("the parts have %v of the range", width)
	}
	for _, token := range tokens {
		end := s.ends[s.part(token)]
		for _, racks := range rings {
			for _, r := range racks {
				if r.owner(token) != r.owner(end) {
					t.Fatalf("token %d is in the part up to %d, but has another owner", token, end)
				}
			}
		}
	}
}

func TestZipf(t *testing.T) {
	for _, skew := range []float64{0, 0.7, 1, 1.3} {
		exact := 0.0
		for r := 1; r <= 300_000; r++ {
			exact += math.Pow(float64(r), -skew)
		}
		if got := zipf(300_000, skew); math.Abs(got/exact-1) > 1e-6 {
			t.Errorf("skew %v: %v, want %v", skew, got, exact)
		}
	}
}

func TestRefusesNonsense(t *testing.T) {
	good := []Cluster{{Nodes: 3, Tokens: 1}}
	for what, change := range map[string]func(*Workload){
		"accounts": func(w *Workload) { w.Accounts = 0 }, "messages": func(w *Workload) { w.Messages = math.NaN() },
		"skew": func(w *Workload) { w.Skew = -1 }, "faults": func(w *Workload) { w.Faults = 2 }, "peak": func(w *Workload) { w.Peak = math.Inf(1) },
	} {
		w := smallest()
		change(&w)
		if _, err := Compute(t.Context(), w, good, 1, nil); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for _, clusters := range [][]Cluster{nil, {{Nodes: 2, Tokens: 1}}, {{Nodes: 3}}} {
		if _, err := Compute(t.Context(), smallest(), clusters, 1, nil); err == nil {
			t.Errorf("%+v: no error", clusters)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Compute(ctx, small(), good, 1, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was stopped: %v", err)
	}
}
