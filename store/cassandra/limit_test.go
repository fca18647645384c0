package cassandra

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

func testLimiter(concurrency int) *limiter {
	return newLimiter(Config{Concurrency: concurrency, QueueTime: time.Second, Timeout: 5 * time.Second})
}

// local is an attempt at LOCAL_QUORUM.
func local(took time.Duration, err error) Statement {
	return Statement{Consistency: "LOCAL_QUORUM", Host: "10.0.0.1", Took: took, Err: err}
}

// run lets statements of one duration end, one each 5 ms, for a while.
func (l *limiter) run(during, took time.Duration) {
	for ended := time.Now().Add(during); time.Now().Before(ended); {
		time.Sleep(5 * time.Millisecond)
		l.learn(local(took, nil))
	}
}

// fill takes all places.
func (l *limiter) fill(t *testing.T) {
	t.Helper()
	for l.try(foreground) {
	}
	if s := l.state(); s.used != s.limit {
		t.Fatalf("filled: %+v", s)
	}
}

// What a cluster that cannot keep up answers lowers the limit, once for all that was under way,
// down to the least; used and all well it rises again, up to the most.
func TestLimitFallsAndRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(512)
		time.Sleep(time.Minute)
		for range 100 {
			l.learn(local(time.Second, answer(gocql.ErrCodeWriteTimeout)))
		}
		if got := l.state().limit; got != 384 {
			t.Fatalf("after many at once: %d", got)
		}
		for range 20 {
			time.Sleep(time.Second)
			l.learn(local(10*time.Millisecond, answer(gocql.ErrCodeOverloaded)))
		}
		if got := l.state().limit; got != leastLimit {
			t.Fatalf("for long: %d", got)
		}
		l.run(time.Minute, time.Millisecond)
		if got := l.state().limit; got != leastLimit {
			t.Errorf("rises without need to %d", got)
		}
		l.fill(t)
		l.run(time.Second, time.Millisecond)
		if got := l.state().limit; got <= leastLimit || got > leastLimit+10*8 {
			t.Errorf("rose to %d in a second", got)
		}
		for range 200 {
			l.fill(t)
			l.run(time.Second, time.Millisecond)
		}
		if got := l.state().limit; got != 512 {
			t.Errorf("rose to %d", got)
		}
	})
}

// Statements that take far longer than before lower the limit; what is merely quick, or slow by
// nature, does not.
func TestLimitFallsByLatency(t *testing.T) {
	for _, c := range []struct {
		name         string
		before, then time.Duration
		falls        bool
	}{
		{"much longer", 5 * time.Millisecond, 400 * time.Millisecond, true},
		{"longer, but quick", time.Millisecond, 200 * time.Millisecond, false},
		{"always slow", 400 * time.Millisecond, 600 * time.Millisecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLimiter(512)
				l.run(10*time.Second, c.before)
				l.run(10*time.Second, c.then)
				if got := l.state().limit; (got < 300) != c.falls {
					t.Errorf("the limit is %d", got)
				}
			})
		})
	}
}

// What says nothing of the load of this datacenter does not change the limit.
func TestLimitStays(t *testing.T) {
	at := func(level string, err error) Statement {
		s := local(5*time.Second, err)
		s.Consistency = level
		return s
	}
	for _, c := range []struct {
		name  string
		s     Statement
		heard bool // the node answered something meanwhile
		falls bool
	}{
		{"no answer from a node that is away", at("LOCAL_QUORUM", gocql.ErrTimeoutNoResponse), false, false},
		{"no answer from a node that answers others", at("LOCAL_QUORUM", gocql.ErrTimeoutNoResponse), true, true},
		{"read timeout", at("LOCAL_QUORUM", answer(gocql.ErrCodeReadTimeout)), false, true},
		{"another datacenter is away", at("EACH_QUORUM", answer(gocql.ErrCodeWriteTimeout)), true, false},
		{"a replica is away", at("ALL", answer(gocql.ErrCodeReadTimeout)), true, false},
		{"overloaded at ALL", at("ALL", answer(gocql.ErrCodeOverloaded)), true, true},
		{"too few replicas", at("LOCAL_QUORUM", answer(gocql.ErrCodeUnavailable)), true, false},
		{"cancelled", at("LOCAL_QUORUM", context.Canceled), true, false},
		{"slow, but at ALL", at("ALL", nil), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := testLimiter(100)
				time.Sleep(time.Minute)
				if c.heard {
					l.learn(local(time.Millisecond, nil))
				}
				time.Sleep(time.Second)
				passed := 0
				l.observe(func(Statement) { passed++ })(c.s)
				if got := l.state().limit; (got < 100) != c.falls || passed != 1 {
					t.Errorf("the limit is %d, passed on %d times", got, passed)
				}
			})
		})
	}
}

// Who waits gets a place when one is free, is sent away after a while, and at once if too many
// wait already.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(2)
		l.fill(t)
		began := time.Now()
		results := make(chan error, 100)
		for range queueFactor * 2 {
			go func() { results <- l.take(t.Context(), foreground) }()
		}
		synctest.Wait()
		if err := l.take(t.Context(), foreground); !errors.Is(err, errOverloaded) || time.Since(began) != 0 {
			t.Errorf("one too many: %v after %v", err, time.Since(began))
		}
		if s := l.state(); s.waiting != 8 || s.used != 2 {
			t.Errorf("waiting: %+v", s)
		}
		l.release(foreground)
		if err := <-results; err != nil || time.Since(began) != 0 {
			t.Errorf("after one has ended: %v", err)
		}
		for range 7 {
			if err := <-results; !errors.Is(err, errOverloaded) || time.Since(began) != time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- l.take(ctx, foreground) }()
		synctest.Wait()
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("a context that ended: %v", err)
		}
		for range 3 {
			go func() { results <- l.take(t.Context(), background) }()
		}
		synctest.Wait()
		l.close()
		for range 3 {
			if err := <-results; !errors.Is(err, store.ErrClosed) {
				t.Errorf("waiting at Close: %v", err)
			}
		}
		l.release(foreground)
		if err := l.take(t.Context(), foreground); !errors.Is(err, store.ErrClosed) || l.try(second) {
			t.Errorf("after Close: %v", err)
		}
		if s := l.state(); s.waiting != 0 || s.used != 1 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// Background work and second attempts have their share and no more; when all places are wanted,
// background work has one, and the rest are for who waits.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(16)
		for c, want := range map[class]int{background: 4, second: 2} {
			n := 0
			for l.try(c) {
				n++
			}
			if n != want {
				t.Errorf("class %d has %d places, want %d", c, n, want)
			}
		}
		for range 4 {
			l.release(background)
		}
		l.fill(t)
		order := make(chan class, 20)
		for _, c := range []class{background, background, foreground, foreground} {
			go func() {
				if err := l.take(t.Context(), c); err != nil {
					t.Error(err)
				}
				order <- c
			}()
			synctest.Wait()
		}
		for i, want := range []class{background, foreground, foreground, background} {
			l.release(foreground)
			if got := <-order; got != want {
				t.Errorf("place %d went to class %d, want %d", i, got, want)
			}
		}
	})
}

// Many at once never exceed the limit, and give everything back. For the race detector.
func TestLimiterRace(t *testing.T) {
	l := newLimiter(Config{Concurrency: 8, QueueTime: time.Millisecond, Timeout: time.Second})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for n := range 200 {
				c := class(i % int(classes))
				if c == second {
					if !l.try(c) {
						continue
					}
				} else {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%3)*time.Millisecond)
					err := l.take(ctx, c)
					cancel()
					if err != nil {
						continue
					}
				}
				if s := l.state(); s.used > 8 {
					t.Errorf("%+v", s)
				}
				l.learn(local(time.Microsecond, nil))
				l.release(c)
			}
		})
	}
	all.Wait()
	if s := l.state(); s.used != 0 || s.waiting != 0 {
		t.Errorf("left: %+v", s)
	}
}
