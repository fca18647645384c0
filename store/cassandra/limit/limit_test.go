package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// answer is an error answer of a node, by its code alone.
type answer int

func (a answer) Code() int       { return int(a) }
func (a answer) Message() string { return fmt.Sprintf("code %#x", int(a)) }
func (a answer) Error() string   { return a.Message() }

func testLimiter(concurrency int) *Limiter {
	return New(Config{Most: concurrency, QueueTime: time.Second, Slow: 250 * time.Millisecond})
}

// local returns the result of a statement at LOCAL_QUORUM.
func local(took time.Duration, err error) Result {
	return Result{Local: true, Host: "10.0.0.1", Took: took, Err: err}
}

// run ends statements of one duration, one each 5 ms, for a while.
func (l *Limiter) run(during, took time.Duration) {
	for ended := time.Now().Add(during); time.Now().Before(ended); {
		time.Sleep(5 * time.Millisecond)
		l.Learn(local(took, nil))
	}
}

// fill takes all slots.
func (l *Limiter) fill(t *testing.T) {
	t.Helper()
	for l.Try(Foreground) {
	}
	if s := l.State(); s.Used != s.Limit {
		t.Fatalf("filled: %+v", s)
	}
}

// An overload error of a node lowers the limit, once for all statements in flight, down to the
// minimum. In full use without errors the limit rises again, up to the maximum.
func TestLimitFallsAndRises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(512)
		time.Sleep(time.Minute)
		for range 100 {
			l.Learn(local(time.Second, answer(gocql.ErrCodeWriteTimeout)))
		}
		if got := l.State().Limit; got != 384 {
			t.Fatalf("after many at once: %d", got)
		}
		for range 20 {
			time.Sleep(time.Second)
			l.Learn(local(10*time.Millisecond, answer(gocql.ErrCodeOverloaded)))
		}
		if got := l.State().Limit; got != leastLimit {
			t.Fatalf("for long: %d", got)
		}
		l.run(time.Minute, time.Millisecond)
		if got := l.State().Limit; got != leastLimit {
			t.Errorf("rises without need to %d", got)
		}
		l.fill(t)
		l.run(time.Second, time.Millisecond)
		if got := l.State().Limit; got <= leastLimit || got > leastLimit+10*8 {
			t.Errorf("rose to %d in a second", got)
		}
		for range 200 {
			l.fill(t)
			l.run(time.Second, time.Millisecond)
		}
		if got := l.State().Limit; got != 512 {
			t.Errorf("rose to %d", got)
		}
	})
}

// Statements that take far longer than before lower the limit; quick statements, and statements that
// are slow by nature, do not.
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
				if got := l.State().Limit; (got < 300) != c.falls {
					t.Errorf("the limit is %d", got)
				}
			})
		})
	}
}

// Errors that say nothing about the load of this datacenter leave the limit unchanged.
func TestLimitStays(t *testing.T) {
	at := func(level string, err error) Result {
		s := local(5*time.Second, err)
		s.Local = level == gocql.LocalQuorum.String()
		return s
	}
	for _, c := range []struct {
		name  string
		s     Result
		heard bool // the node answered other statements meanwhile
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
					l.Learn(local(time.Millisecond, nil))
				}
				time.Sleep(time.Second)
				l.Learn(c.s)
				if got := l.State().Limit; (got < 100) != c.falls {
					t.Errorf("the limit is %d", got)
				}
			})
		})
	}
}

// A waiting statement gets a free slot, is refused after a while, and is refused at once if too many
// wait already.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(2)
		l.fill(t)
		began := time.Now()
		results := make(chan error, 100)
		for range queueFactor * 2 {
			go func() { results <- l.Take(t.Context(), Foreground) }()
		}
		synctest.Wait()
		if err := l.Take(t.Context(), Foreground); !errors.Is(err, store.ErrOverloaded) || time.Since(began) != 0 {
			t.Errorf("a statement above the limit: %v after %v", err, time.Since(began))
		}
		if s := l.State(); s.Waiting != 8 || s.Used != 2 {
			t.Errorf("waiting: %+v", s)
		}
		l.Release(Foreground)
		if err := <-results; err != nil || time.Since(began) != 0 {
			t.Errorf("after an ended statement: %v", err)
		}
		for range 7 {
			if err := <-results; !errors.Is(err, store.ErrOverloaded) || time.Since(began) != time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { results <- l.Take(ctx, Foreground) }()
		synctest.Wait()
		cancel()
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("a context that ended: %v", err)
		}
		for range 3 {
			go func() { results <- l.Take(t.Context(), Background) }()
		}
		synctest.Wait()
		l.Close()
		for range 3 {
			if err := <-results; !errors.Is(err, store.ErrClosed) {
				t.Errorf("waiting at Close: %v", err)
			}
		}
		l.Release(Foreground)
		if err := l.Take(t.Context(), Foreground); !errors.Is(err, store.ErrClosed) || l.Try(Hedged) {
			t.Errorf("after Close: %v", err)
		}
		if s := l.State(); s.Waiting != 0 || s.Used != 1 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// Background work and second calls have their share and no more. When all slots are wanted,
// background work has one slot, and waiting statements have the rest.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(16)
		for c, want := range map[Class]int{Background: 4, Hedged: 2, Early: 4} {
			n := 0
			for l.Try(c) {
				n++
			}
			if n != want {
				t.Errorf("class %d has %d places, want %d", c, n, want)
			}
		}
		for range 4 {
			l.Release(Background)
			l.Release(Early)
		}
		l.fill(t)
		if err := l.Take(t.Context(), Early); !errors.Is(err, store.ErrOverloaded) {
			t.Errorf("an early statement without a place: %v", err)
		}
		order := make(chan Class, 20)
		for _, c := range []Class{Background, Background, Foreground, Foreground} {
			go func() {
				if err := l.Take(t.Context(), c); err != nil {
					t.Error(err)
				}
				order <- c
			}()
			synctest.Wait()
		}
		for i, want := range []Class{Background, Foreground, Foreground, Background} {
			l.Release(Foreground)
			if got := <-order; got != want {
				t.Errorf("place %d went to class %d, want %d", i, got, want)
			}
		}
	})
}

// Many statements at once never exceed the limit, and return all slots. For the race detector.
func TestLimiterRace(t *testing.T) {
	l := New(Config{Most: 8, QueueTime: time.Millisecond, Slow: 50 * time.Millisecond})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for n := range 200 {
				c := Class(i % int(classes))
				if c == Hedged {
					if !l.Try(c) {
						continue
					}
				} else {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%3)*time.Millisecond)
					err := l.Take(ctx, c)
					cancel()
					if err != nil {
						continue
					}
				}
				if s := l.State(); s.Used > 8 {
					t.Errorf("%+v", s)
				}
				l.Learn(local(time.Microsecond, nil))
				l.Release(c)
			}
		})
	}
	all.Wait()
	if s := l.State(); s.Used != 0 || s.Waiting != 0 {
		t.Errorf("left: %+v", s)
	}
}
