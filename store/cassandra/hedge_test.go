package cassandra

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// A quick call stays alone; a second call helps a slow one, never harms the first, and ends together
// with the first.
func TestHedged(t *testing.T) {
	errFirst, errSecond := errors.New("first"), errors.New("second")
	type call struct {
		took time.Duration
		err  error
	}
	const delay = 200 * time.Millisecond
	for _, c := range []struct {
		name          string
		first, second call
		refused       bool // a second call is impossible
		want          string
		err           error
		took          time.Duration
		calls         int
	}{
		{name: "quick", first: call{took: 10 * time.Millisecond}, want: "first", took: 10 * time.Millisecond, calls: 1},
		{name: "quick error", first: call{10 * time.Millisecond, errFirst}, err: errFirst, took: 10 * time.Millisecond, calls: 1},
		{name: "slow", first: call{took: time.Hour}, second: call{took: time.Millisecond}, want: "second", took: delay + time.Millisecond, calls: 2},
		{name: "slow, no place", first: call{took: time.Second}, refused: true, want: "first", took: time.Second, calls: 1},
		{name: "both slow", first: call{took: time.Second}, second: call{took: time.Hour}, want: "first", took: time.Second, calls: 2},
		{name: "second fails", first: call{took: time.Second}, second: call{0, errSecond}, want: "first", took: time.Second, calls: 2},
		{name: "first fails later", first: call{time.Second, errFirst}, second: call{took: 5 * time.Second}, want: "second", took: delay + 5*time.Second, calls: 2},
		{name: "both fail, first later", first: call{time.Second, errFirst}, second: call{0, errSecond}, err: errFirst, took: time.Second, calls: 2},
		{name: "both fail, second later", first: call{time.Second, errFirst}, second: call{5 * time.Second, errSecond}, err: errFirst, took: delay + 5*time.Second, calls: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				calls := make(chan bool, 3)
				got, err := hedged(t.Context(), delay, func() bool { return !c.refused }, func(ctx context.Context, again bool) (string, error) {
					calls <- again
					which, name := c.first, "first"
					if again {
						which, name = c.second, "second"
					}
					select {
					case <-time.After(which.took):
						return name, which.err
					case <-ctx.Done():
						return "", ctx.Err()
					}
				})
				took := time.Since(began)
				if !errors.Is(err, c.err) || err == nil && got != c.want || took != c.took {
					t.Errorf("got %q, %v after %v; want %q, %v after %v", got, err, took, c.want, c.err, c.took)
				}
				synctest.Wait() // the loser ends without the clock moving
				if time.Since(began) != took {
					t.Error("the loser goes on")
				}
				if len(calls) != c.calls {
					t.Errorf("%d calls, want %d", len(calls), c.calls)
				}
			})
		})
	}
}

// A hedged call ends with its context, even if a call does not.
func TestHedgedEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := hedged(ctx, 10*time.Millisecond, func() bool { return true }, func(context.Context, bool) (int, error) {
			time.Sleep(time.Minute)
			return 1, nil
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.Sleep(time.Hour) // until the calls have returned
	})
}

// fixed is a policy that offers the same nodes in the same order each time.
type fixed struct {
	gocql.HostSelectionPolicy
	hosts []string
}

type fixedHost struct{ info *gocql.HostInfo }

func (h fixedHost) Info() *gocql.HostInfo { return h.info }
func (h fixedHost) Mark(error)            {}

func (f fixed) Pick(gocql.ExecutableStatement) gocql.NextHost {
	i := 0
	return func() gocql.SelectedHost {
		if i == len(f.hosts) {
			return nil
		}
		i++
		h, err := gocql.NewHostInfoFromAddrPort(net.ParseIP(f.hosts[i-1]), 9042)
		if err != nil {
			panic(err)
		}
		return fixedHost{h}
	}
}

// picking is the argument of the driver to a policy.
type picking struct {
	gocql.ExecutableStatement
	gocql.RetryableQuery
	ctx context.Context
}

func (p picking) Context() context.Context { return p.ctx }

// A second call asks nodes that the first call did not ask, or no node.
func TestHedgedReadAsksUntriedNodes(t *testing.T) {
	p := newUntriedHosts(fixed{hosts: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}})
	choice, other := driver.NewChoices()
	pick := func(c *driver.Choice) func() string {
		next := p.Pick(picking{ctx: context.WithValue(t.Context(), choiceKey{}, c)})
		return func() string {
			if h := next(); h != nil {
				return h.Info().ConnectAddress().String()
			}
			return "none"
		}
	}
	first, again := pick(choice), pick(other)
	for i, got := range []string{first(), again(), first(), again(), again()} {
		if want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3", "none"}[i]; got != want {
			t.Errorf("pick %d: %s, want %s", i, got, want)
		}
	}
	if got := p.Pick(picking{ctx: t.Context()})().Info().ConnectAddress().String(); got != "10.0.0.1" {
		t.Errorf("a statement without hedging goes to %s", got)
	}
}
