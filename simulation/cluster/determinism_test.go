package cluster_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/simulation/cluster"
)

// story runs statements under random faults, and returns what happened.
func story(t *testing.T, seed uint64) (told string) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) {
			c.Random = rand.New(rand.NewPCG(seed, 3))
			c.Tail, c.Loss = 2000, 500
		})
		random := rand.New(rand.NewPCG(seed, 4))
		for i := range 400 {
			name := w.Nodes()[random.IntN(6)]
			switch random.IntN(40) {
			case 0:
				w.Crash(name, random.IntN(2) == 0)
			case 1:
				w.Pause(name)
			case 2:
				w.Cut([]string{"dc1", name}[random.IntN(2)], "dc2")
			case 3:
				w.HealAll()
				for _, n := range w.Nodes() {
					w.Resume(n)
					w.Restart(n)
				}
			case 4:
				w.Compact(name)
			}
			var err error
			k := random.IntN(20)
			if random.IntN(2) == 0 {
				err = w.exec(gocql.LocalQuorum, insertEntry, k, random.IntN(5), "x", int64(i))
			} else {
				var got []string
				got, err = w.texts(gocql.LocalQuorum, k)
				told += fmt.Sprintln(got)
			}
			told += fmt.Sprintln(i, err, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
		}
		told += fmt.Sprintf("%+v\n", w.Counters())
	})
	return told
}

func TestSameSeedSameStory(t *testing.T) {
	for seed := range uint64(5) {
		if a, b := story(t, seed), story(t, seed); a != b {
			t.Fatalf("seed %d: two runs differ:\n%s\n---\n%s", seed, a, b)
		}
	}
	if story(t, 1) == story(t, 2) {
		t.Error("two seeds make the same story")
	}
}

// No write that was acknowledged at a quorum is missing from later reads at a quorum, whatever happens to a minority
// of the replicas.
func TestAcknowledgedWritesStay(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, func(c *cluster.Config) {
				c.Random = rand.New(rand.NewPCG(seed, 5))
				c.Tail, c.Loss, c.LogSync = 2000, 1000, -1
			})
			random := rand.New(rand.NewPCG(seed, 6))
			acked := map[int]bool{}
			away := ""
			answered := 0
			for i := range 300 {
				if random.IntN(20) == 0 {
					if away != "" {
						w.Resume(away)
						w.Restart(away)
						w.HealAll()
						away = ""
					} else {
						away = []string{"dc1-1", "dc1-2", "dc1-3"}[random.IntN(3)]
						switch random.IntN(3) {
						case 0:
							w.Crash(away, true)
						case 1:
							w.Pause(away)
						case 2:
							w.Cut(away, "dc1")
						}
					}
				}
				if w.exec(gocql.LocalQuorum, insertEntry, i%7, i, "x", int64(1)) == nil {
					acked[i] = true
				}
				got, err := w.texts(gocql.LocalQuorum, i%7)
				if err != nil {
					var answer gocql.RequestError
					if !errors.As(err, &answer) && !errors.Is(err, gocql.ErrTimeoutNoResponse) && !errors.Is(err, gocql.ErrConnectionClosed) && !errors.Is(err, gocql.ErrNoConnections) {
						t.Fatal(err)
					}
					continue
				}
				answered++
				found := map[string]bool{}
				for _, s := range got {
					found[s] = true
				}
				for j := range acked {
					if j%7 == i%7 && !found[fmt.Sprintf("%d:x", j)] {
						t.Fatalf("seed %d: write %d was acknowledged and is missing after %d", seed, j, i)
					}
				}
			}
			if answered < 100 || len(acked) < 100 {
				t.Errorf("seed %d: only %d reads and %d writes succeeded", seed, answered, len(acked))
			}
		})
	}
}
