package keyload

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Workload says what happens in a cluster. Rates are those of all datacenters
// together; each datacenter serves an equal part of the clients.
type Workload struct {
	// Accounts is the count of accounts.
	Accounts int64
	// Domains is the count of domains, with equally many accounts each.
	Domains int64
	// Messages is the count of messages stored.
	Messages float64
	// Skew is the exponent of Zipf's law: the account of rank r gets messages in proportion to r^-Skew.
	Skew float64
	// Daily is the count of messages that an account receives on a day, on average. As many are retrieved and
	// removed.
	Daily float64
	// Polls is the count of logins of an account on a day.
	Polls float64
	// Peak is the rate of the busiest hour, as a multiple of the mean.
	Peak float64
	// Size is the size of a message in octets.
	Size int64
	// Bulk is the count of bulk mailboxes, in addition, with BulkDaily messages a day each.
	Bulk      int
	BulkDaily float64
	// BulkAfter is the count of messages from which a mailbox becomes bulk (cassandra.bulk_after).
	BulkAfter float64
	// Undelete is how long removed messages are kept (tasks.undelete_window).
	Undelete time.Duration
	// Faults is the part of the deliveries that end with an unknown outcome, and enter the ledger.
	Faults float64
	// Servers is the count of servers in each datacenter.
	Servers int
	// Datacenters is the count of datacenters.
	Datacenters int
	// Trace, Audit and Queue are set if these journals are written. Kept is how long they are kept.
	Trace, Audit, Queue bool
	Kept                time.Duration
}

// DefaultWorkload returns a large provider: 10^9 messages, 4 x 10^7 accounts.
func DefaultWorkload() Workload {
	return Workload{
		Accounts: 40_000_000, Domains: 1, Messages: 1e9, Skew: 0.7, Daily: 10, Polls: 20, Peak: 3, Size: 75_000,
		Bulk: 100, BulkDaily: 1e6, BulkAfter: 100_000, Faults: 0.001, Servers: 50, Datacenters: 2, Kept: 30 * 24 * time.Hour,
	}
}

// check refuses a workload without meaning.
func (w Workload) check() error {
	for name, v := range map[string]float64{
		"messages": w.Messages, "messages a day": w.Daily, "logins a day": w.Polls, "peak": w.Peak, "size": float64(w.Size),
		"accounts": float64(w.Accounts), "domains": float64(w.Domains), "servers": float64(w.Servers), "datacenters": float64(w.Datacenters),
	} {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("keyload: %s: %v, want more than 0", name, v)
		}
	}
	if w.Skew < 0 || w.Skew > 2 || w.Bulk < 0 || w.BulkDaily < 0 || w.Faults < 0 || w.Faults > 1 || w.Undelete < 0 || w.Kept < 0 {
		return errors.New("keyload: skew: want 0 to 2; faults: want 0 to 1; bulk mailboxes and times: want no negative numbers")
	}
	return nil
}

// perSecond returns the peak rate of something that happens so many times a day.
func (w Workload) perSecond(daily float64) float64 { return daily * w.Peak / 86400 }

// reads returns the requests at each replica of one datacenter, of reads at LOCAL_QUORUM in all datacenters.
func (w Workload) reads(rate float64) float64 { return rate / float64(w.Datacenters) * 2 / replicas }

// zipf returns the sum of r^-skew for all ranks.
func zipf(accounts int64, skew float64) (sum float64) {
	const exact = 10_000
	for r := int64(1); r <= min(accounts, exact); r++ {
		sum += math.Pow(float64(r), -skew)
	}
	if accounts > exact { // the integral, between the middles of the ranks
		from, to := float64(exact)+0.5, float64(accounts)+0.5
		if skew == 1 {
			sum += math.Log(to / from)
		} else {
			sum += (math.Pow(to, 1-skew) - math.Pow(from, 1-skew)) / (1 - skew)
		}
	}
	return sum
}
