package simulation

import (
	"math/rand/v2"
	"time"
)

// Shape draws the shape of a cluster, its clients and its faults from a seed.
func Shape(seed uint64) Config {
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
		NodeCrash, NodePause, NodeSlow, NodeCut, NodeClock, NodeCompact, LinesCut, LinesCutOneWay, DatacenterDown,
		ServerKill, ServerKill, ServerCut, ServerClock,
	}
	if r.IntN(5) == 0 {
		kinds = append(kinds, NodeLosesLog)
	}
	cfg.Faults = Draw(cfg, 7*time.Minute, kinds...)
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
