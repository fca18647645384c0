package simulation

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Shape draws the shape of a cluster, its clients and its faults from a seed.
func Shape(seed uint64) Config {
	cfg := shape(seed)
	r := rand.New(rand.NewPCG(seed, 174))
	switch k := r.IntN(12); {
	case k < 2 && cfg.Datacenters > 1:
		return withLoss(cfg, r)
	case k < 5:
		return withSleep(cfg, r)
	}
	return cfg
}

// withLoss lets a datacenter be lost for good, and built again. No node loses writes otherwise: what the others have is
// kept.
func withLoss(cfg Config, r *rand.Rand) Config {
	cfg.Faults = slices.DeleteFunc(cfg.Faults, func(f Fault) bool {
		return f.Kind == NodeLosesLog || f.Kind == NodeDiesAlone
	})
	f := Fault{Kind: DatacenterLost, At: 20*time.Minute + time.Duration(r.Int64N(int64(time.Hour))), For: 10*time.Minute + draw(r, 20*time.Minute), A: r.IntN(cfg.Datacenters)}
	if r.IntN(2) == 0 { // after a cut
		for other := range cfg.Datacenters {
			if other != f.A {
				cfg.Faults = append(cfg.Faults, Fault{Kind: LinesCut, At: f.At - 10*time.Minute, For: 11 * time.Minute, A: f.A, B: other})
			}
		}
	}
	cfg.Faults = append(cfg.Faults, f)
	return cfg
}

// withSleep suspends servers now and then.
func withSleep(cfg Config, r *rand.Rand) Config {
	for _, f := range Draw(cfg, 40*time.Minute, ServerSuspended) {
		f.By = draw(r, 5*time.Minute)
		cfg.Faults = append(cfg.Faults, f)
	}
	return cfg
}

func shape(seed uint64) Config {
	r := rand.New(rand.NewPCG(seed, 1))
	cfg := Config{
		Seed: seed, Datacenters: 1 + r.IntN(3), Nodes: 3 + max(0, r.IntN(6)-3), Racks: 1 + 2*r.IntN(2), Servers: 1 + r.IntN(2), Replicas: 3,
		Accounts: 4 + r.IntN(8), Length: 3 * time.Hour, SendEvery: 40 * time.Second, FetchEvery: 2 * time.Minute, OwnerEvery: time.Hour,
		Senders: 2, Fetchers: 2, Pace: Hours(),
	}
	if r.IntN(8) == 0 {
		cfg.Nodes = 6 + r.IntN(40)
	}
	cfg.Failover = cfg.Datacenters > 1 && cfg.Nodes == 3 && r.IntN(2) == 0
	kinds := []Kind{
		NodeCrash, NodePause, NodeSlow, NodeCut, NodeAlone, NodeClock, NodeCompact, LinesCut, LinesCutOneWay, DatacenterDown,
		ServerKill, ServerKill, ServerCut, ServerClock,
	}
	if r.IntN(5) == 0 {
		kinds = append(kinds, NodeLosesLog)
	}
	if r.IntN(4) == 0 { // nodes die, one after the other, and little else happens
		cfg.Faults = Draw(cfg, 20*time.Minute, NodeDiesAlone, NodeCompact, ServerKill)
		apart(cfg.Faults)
		return cfg
	}
	cfg.Faults = Draw(cfg, 7*time.Minute, kinds...)
	if cfg.Datacenters > 1 && r.IntN(3) == 0 {
		cfg = longCuts(cfg, r)
	} else if cfg.Datacenters > 1 && r.IntN(3) == 0 { // addresses change their owners while datacenters are cut off
		cfg.OwnerEvery = 4 * time.Minute
		cfg.Faults = Draw(cfg, 12*time.Minute, LinesCut, LinesCut, LinesCutOneWay, ServerKill)
	}
	return cfg
}

// apart ends each fault before the next begins: two nodes that lose their disks at once may lose mail.
func apart(all []Fault) {
	for i := range all[:max(0, len(all)-1)] {
		all[i].For = min(all[i].For, all[i+1].At-all[i].At-time.Second)
	}
}

// longCuts changes a shape: few maildrops with much removed, where a message is forgotten now and then, and datacenters that are cut off from each other for longer
// than the in-flight window, while background work comes often.
func longCuts(cfg Config, r *rand.Rand) Config {
	cfg.Accounts, cfg.OwnerEvery, cfg.FetchEvery, cfg.Length = 6, 0, 30*time.Second, 4*time.Hour
	cfg.Pace.Orphans, cfg.KeepEvery = time.Hour, 60
	cfg.Faults = Draw(cfg, 20*time.Minute, NodeCrash, NodeAlone, ServerKill)
	for at := draw(r, 20*time.Minute); at < cfg.Length-time.Hour; {
		f := Fault{Kind: LinesCut, At: at, For: time.Hour + draw(r, time.Hour), A: r.IntN(cfg.Datacenters)}
		f.B = (f.A + 1 + r.IntN(cfg.Datacenters-1)) % cfg.Datacenters
		cfg.Faults = append(cfg.Faults, f)
		at += f.For + draw(r, 20*time.Minute)
	}
	return cfg
}

// Life is a shape that lives for months, with few clients.
func Life(seed uint64) Config {
	cfg := Shape(seed)
	cfg.Length, cfg.Pace = 60*24*time.Hour, Months()
	cfg.SendEvery, cfg.FetchEvery, cfg.OwnerEvery = 2*time.Hour, 4*time.Hour, 10*24*time.Hour
	cfg.Faults = Draw(cfg, 18*time.Hour, NodeCrash, NodePause, NodeSlow, NodeCut, NodeCompact, LinesCut, DatacenterDown, ServerKill, ServerCut)
	return cfg
}

// Large is a shape of four datacenters with many nodes in each, for a short life.
func Large(seed uint64, nodes int) Config {
	cfg := shape(seed)
	cfg.Datacenters, cfg.Nodes, cfg.Racks, cfg.Servers, cfg.Failover = 4, nodes, 3, 2, false
	cfg.Accounts, cfg.Length, cfg.SendEvery, cfg.FetchEvery, cfg.OwnerEvery = 20, time.Hour, 10*time.Second, 30*time.Second, 20*time.Minute
	cfg.Faults = Draw(cfg, 4*time.Minute, NodeCrash, NodePause, NodeSlow, NodeCut, NodeReplace, LinesCut, LinesCutOneWay, DatacenterDown, ServerKill)
	apart(cfg.Faults)
	return cfg
}
