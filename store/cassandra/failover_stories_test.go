package cassandra

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// story is a random sequence of outages and restarts.
type story struct {
	*traveller
	r       *rand.Rand
	away    bool // statements went to another datacenter once
	chapter []string
}

// happens lets something happen to a datacenter or to the server, and then a time pass. settled is set for a long time.
func (s *story) happens() (settled bool) {
	s.confirmation.asker.close() // its goroutine reads the health of the datacenters
	if s.r.Intn(4) == 0 {
		again, lasts := travel(s.t, s.all), s.confirmation.file.load().lasts()
		again.confirmation.file, again.now = s.confirmation.file, s.now
		if err := again.open(s.t.Context(), s.all["dc1"] == unreached); err != nil {
			s.chapter = append(s.chapter, "no start")
			return false
		}
		s.traveller = again
		s.chapter = append(s.chapter, "restart")
		if lasts && s.link.origin() == "dc1" && !s.works("dc1", gocql.EachQuorum) && s.elsewhere() {
			s.t.Errorf("a restart leaves another datacenter too early: %s", strings.Join(s.chapter, ", "))
		}
	} else {
		datacenter := []string{"dc1", "dc2", "dc3"}[s.r.Intn(3)]
		s.all[datacenter] = health(s.r.Intn(3))
		s.chapter = append(s.chapter, fmt.Sprint(datacenter, ": ", s.all[datacenter]))
	}
	d := []time.Duration{4 * time.Second, 12 * time.Second, 2 * time.Minute}[s.r.Intn(3)]
	s.pass(d)
	s.chapter = append(s.chapter, fmt.Sprint(d, " at ", s.link.origin()))
	return d > time.Minute
}

// works reports whether reads through a datacenter work.
func (s *story) works(datacenter string, at gocql.Consistency) bool {
	if at == gocql.EachQuorum {
		return slices.Max(slices.Collect(maps.Values(s.all))) == serving
	}
	return s.all[datacenter] == serving
}

// elsewhere reports whether another datacenter serves.
func (s *story) elsewhere() bool {
	return slices.ContainsFunc(s.cfg.Failover, func(datacenter string) bool { return s.works(datacenter, gocql.LocalQuorum) })
}

// After any outages and restarts: the absence is on the disk while it lasts; nodes that lack writes are not read alone; and
// statements are where they work, if there is such a place. A local datacenter without a quorum is no reason to leave it.
func TestStories(t *testing.T) {
	for seed := range int64(40) {
		s := &story{traveller: opened(t, continent{"dc1": serving, "dc2": serving, "dc3": serving}), r: rand.New(rand.NewSource(seed))}
		for range 30 {
			settled := s.happens()
			_, at := (&runner{look: s.link.look}).aim(statement{consistency: whenSent})
			through, fault := s.link.origin(), ""
			local := through == "dc1"
			s.away = s.away || !local
			switch {
			case !local && !s.confirmation.file.exists():
				fault = "the disk does not know of the absence"
			case local && s.away && at != gocql.EachQuorum:
				fault = "reads are not confirmed"
			case settled && !s.works(through, at) && s.elsewhere() && (!local || s.all["dc1"] == unreached):
				fault = "another datacenter serves"
			case settled && !s.works(through, at) && !local && s.works("dc1", gocql.EachQuorum):
				fault = "the local datacenter serves"
			}
			if fault != "" {
				t.Fatalf("%d: %s: %s", seed, fault, strings.Join(s.chapter, ", "))
			}
		}
	}
}
