package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
)

// clockRig is a folder that is opened again and again by a clock.
type clockRig struct {
	*testing.T
	fs    *vfs.MemFS
	clock mailtest.Clock
	log   mailtest.Log
	reg   *prometheus.Registry
	cfg   Config
	s     *Store
	// ntp is what the kernel says: whether NTP keeps the clock.
	ntp atomic.Bool
}

// inBubble runs f on a new folder.
func inBubble(t *testing.T, f func(r *clockRig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &clockRig{T: t, fs: vfs.NewCrashableMem()}
		r.open()
		defer func() { r.s.Close() }()
		f(r)
	})
}

func (r *clockRig) open() {
	r.Helper()
	r.reg = prometheus.NewRegistry()
	cfg := r.cfg
	cfg.Dir, cfg.FS, cfg.Now, cfg.Registerer = "data", r.fs, r.clock.Now, r.reg
	cfg.Logger, cfg.Synchronized = slog.New(slog.NewTextHandler(&r.log, nil)), r.ntp.Load
	s, err := Open(cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.s = s
}

// stop closes the store for some time. At the next start the clock is ahead by the given duration.
func (r *clockRig) stop(length, ahead time.Duration) {
	r.Helper()
	if err := r.s.Close(); err != nil {
		r.Fatal(err)
	}
	time.Sleep(length)
	r.clock.Set(ahead)
	r.open()
}

// passes lets time pass, and lets the engine look at its clock.
func (r *clockRig) passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wants checks whether the clock is trusted, and all consequences.
func (r *clockRig) wants(want error, texts ...string) {
	r.Helper()
	err := r.s.Clock()
	if !errors.Is(err, want) {
		r.Fatalf("the clock: %v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(fmt.Sprint(err), text) {
			r.Errorf("%v, want %q", err, text)
		}
	}
	ctx := r.Context()
	a := mail.Address{Local: "a", Domain: "a.test"}
	_, sweep := r.s.Sweep(ctx, r.clock.Now().Add(-time.Hour))
	_, floors := r.s.RaiseFloors(ctx)
	_, orphans := r.s.SweepOrphans(ctx, time.Time{}, time.Time{})
	_, some := r.s.RemoveOrphans(ctx, nil, time.Time{})
	_, bulk := r.s.SetBulk(ctx, mail.MailboxID{1})
	_, id := store.NextID(ctx, r.s, mail.NewIDSource(r.clock.Now))
	for what, err := range map[string]error{
		"Sweep": sweep, "RaiseFloors": floors, "SweepOrphans": orphans, "RemoveOrphans": some, "SetBulk": bulk, "an id": id,
		"PutDomain":     r.s.PutDomain(ctx, store.Domain{Name: "a.test"}),
		"ChangeDomain":  r.s.ChangeDomain(ctx, "a.test", store.DomainChange{}),
		"RemoveDomain":  r.s.RemoveDomain(ctx, "a.test"),
		"ChangeAddress": r.s.ChangeAddress(ctx, a, mail.MessageID{}, store.AddressChange{Kind: new(store.KindAccount)}),
	} {
		if !errors.Is(err, want) {
			r.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	trusted := 1.0
	if want != nil {
		trusted = 0
	}
	if got := r.metric("popelago_embedded_clock_trusted"); got != trusted {
		r.Errorf("the metric is %v, want %v", got, trusted)
	}
}

func (r *clockRig) metric(name string) float64 {
	r.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.Fatalf("no metric %s", name)
	return 0
}

// said counts the lines of the log with a text.
func (r *clockRig) said(text string) int {
	synctest.Wait()
	return strings.Count(r.log.String(), text)
}

const year = 365 * 24 * time.Hour

// A machine that starts with a clock far off accepts no mail until the clock is right, also with a
// folder made a minute ago. The server notices the right clock by itself.
func TestClockWrongAtStart(t *testing.T) {
	for name, off := range map[string]time.Duration{"10 years ahead": 10 * year, "10 years behind": -10 * year, "3 hours behind": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *clockRig) {
				r.wants(nil)
				r.passes(10 * time.Second)
				r.stop(20*time.Second, off)
				r.wants(store.ErrClock)
				r.passes(time.Hour)
				r.wants(store.ErrClock)
				if n := r.said("the clock is wrong"); n != 1 {
					t.Errorf("said %d times:\n%s", n, r.log.String())
				}
				if !strings.Contains(r.log.String(), "popelago clock trust") {
					t.Errorf("the log says nothing to do:\n%s", r.log.String())
				}
				r.clock.Set(0)
				r.wants(nil)
				r.passes(2 * time.Second)
				if n := r.said("the clock is right"); n != 1 {
					t.Errorf("said %d times:\n%s", n, r.log.String())
				}
				r.stop(time.Minute, 0)
				r.wants(nil) // the wrong time left nothing behind
			})
		})
	}
}

// A clock set while the server runs is noticed at once, in both directions. The clock is right again
// when set back, and the engine does not remember the wrong time.
func TestClockSetWhileRunning(t *testing.T) {
	inBubble(t, func(r *clockRig) {
		r.passes(24 * time.Hour)
		for _, off := range []time.Duration{6 * time.Minute, -6 * time.Minute, 10 * year, -10 * year, 3 * 24 * time.Hour} {
			r.clock.Set(off)
			r.wants(store.ErrClock, "while the server ran")
			r.passes(2 * time.Hour)
			r.wants(store.ErrClock)
			r.clock.Set(0)
			r.wants(nil)
			r.passes(2 * time.Minute)
		}
		for _, off := range []time.Duration{4 * time.Minute, -4 * time.Minute} {
			r.clock.Set(off)
			r.wants(nil)
		}
		r.clock.Set(0)
		r.stop(time.Minute, 0)
		r.wants(nil)
	})
}

// NTP corrects a clock soon after a start: the engine follows the clock once steady, within the limits
// of the time in the folder.
func TestClockPutRightAfterTheStart(t *testing.T) {
	for name, off := range map[string]time.Duration{"2 hours ahead at first": 2 * time.Hour, "3 days behind at first": -3 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *clockRig) {
				r.passes(time.Hour)
				r.stop(4*24*time.Hour, off)
				r.wants(nil) // the wrong clock is within the limits
				r.passes(10 * time.Second)
				r.clock.Set(0)
				r.wants(store.ErrClock)
				r.passes(2 * time.Minute)
				r.wants(nil)
				r.passes(time.Hour)
				r.clock.Set(off) // later a set clock is wrong
				r.passes(time.Hour)
				r.wants(store.ErrClock)
			})
		})
	}
}

// A virtual machine was paused for an hour: its clock is behind, then is set ahead. Once NTP agrees for a minute, mail is
// taken again, and ages are judged as after a start. The same happens a second time.
func TestClockAfterPause(t *testing.T) {
	inBubble(t, func(r *clockRig) {
		r.passes(2 * time.Hour)
		var off time.Duration
		for range 2 {
			off += time.Hour
			r.ntp.Store(false) // the kernel forgets NTP when the clock is set
			r.clock.Set(off)
			r.passes(10 * time.Minute)
			r.wants(store.ErrClock, "while the server ran")
			r.ntp.Store(true)
			r.passes(2 * time.Second)
			r.wants(nil)
			if early := r.clock.Now().Sub(r.s.engine.clock.sureTime()); early < time.Hour-5*time.Minute {
				t.Errorf("data may end by a clock that was set a moment ago: the sure time is only %v behind", early)
			}
			r.passes(20 * time.Minute)
			r.wants(nil)
			if late := r.clock.Now().Sub(r.s.ClockState().High); late > raiseEvery+2*watchEvery {
				t.Errorf("the folder remembers a time %v ago", late)
			}
		}
		if n := r.said("agrees with NTP"); n != 2 {
			t.Errorf("said %d times:\n%s", n, r.log.String())
		}
	})
}

// NTP does not help a clock that is further ahead than a stop may last, a clock that went back, or a clock that is set again and again.
func TestNTPIsNotAlwaysBelieved(t *testing.T) {
	for name, off := range map[string]time.Duration{"10 years ahead": 10 * year, "3 hours back": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *clockRig) {
				r.passes(time.Hour)
				r.ntp.Store(true)
				r.clock.Set(off)
				r.passes(10 * time.Minute)
				r.wants(store.ErrClock)
				r.clock.Set(0)
				r.passes(2 * time.Minute)
				r.wants(nil)
			})
		})
	}
	t.Run("restless", func(t *testing.T) {
		inBubble(t, func(r *clockRig) {
			r.passes(time.Hour)
			r.ntp.Store(true)
			for i := range 10 {
				r.clock.Set(time.Hour + time.Duration(i)*time.Minute)
				r.passes(40 * time.Second)
				r.wants(store.ErrClock)
			}
		})
	})
}

// A server that was off for months reports the long stop and waits for the word of an operator. So does
// a server that ran with a wrong clock for so long that the folder remembers the wrong time.
func TestOperatorTrustsTheClock(t *testing.T) {
	inBubble(t, func(r *clockRig) {
		r.passes(time.Hour)
		r.stop(29*24*time.Hour, 0)
		r.wants(nil)
		r.passes(time.Hour)
		r.stop(90*24*time.Hour, 0)
		r.wants(store.ErrClock, "when this server last ran")
		if err := r.s.TrustClock(r.Context()); err != nil {
			t.Fatal(err)
		}
		r.wants(nil)
		r.stop(time.Second, 0) // the word lasts
		r.wants(nil)

		r.stop(time.Second, 20*24*time.Hour)
		r.passes(time.Hour)
		r.stop(time.Second, 0)
		r.wants(store.ErrClock, "what it was before")
		if err := r.s.TrustClock(r.Context()); err != nil {
			t.Fatal(err)
		}
		r.wants(nil)
		r.stop(time.Second, 0)
		r.wants(nil)
	})
	inBubble(t, func(r *clockRig) {
		r.cfg.MaxStop = -1
		r.stop(5*year, 0)
		r.wants(nil)
	})
}

// The time in the folder rises while the server runs, once a minute, so that a crash loses a minute
// at most.
func TestHighWaterRises(t *testing.T) {
	inBubble(t, func(r *clockRig) {
		r.passes(time.Hour)
		before := testutil.ToFloat64(r.s.engine.metrics.writes)
		for range 60 {
			r.passes(time.Minute)
			if late := r.clock.Now().Sub(r.s.ClockState().High); late > raiseEvery+2*watchEvery {
				t.Fatalf("the folder remembers a time %v ago", late)
			}
		}
		if n := testutil.ToFloat64(r.s.engine.metrics.writes) - before; n < 50 || n > 61 {
			t.Errorf("%v writes in an hour", n)
		}
		crashed := r.fs.CrashClone(vfs.CrashCloneCfg{})
		r.clock.Set(-7 * time.Minute)
		s, err := Open(Config{Dir: "data", FS: crashed, Now: r.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Clock(); !errors.Is(err, store.ErrClock) {
			t.Errorf("after a crash, 7 minutes behind: %v", err)
		}
		r.clock.Set(0)
	})
}

// With a wrong clock removals go on and last, and their contents are reclaimed, but not too early.
func TestRemovalByAWrongClock(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 10 * year, "behind": -10 * year} {
		for running, set := range map[string]bool{"at the start": false, "while running": true} {
			t.Run(name+" "+running, func(t *testing.T) {
				inBubble(t, func(r *clockRig) {
					mailbox, m := mail.MailboxID{1}, mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 1, Recipient: "a@a.test"}
					add := func() {
						t.Helper()
						if errs := r.s.AddMessages(r.Context(), []store.Entry{{Mailbox: mailbox, Message: m}}); errs[0] != nil {
							t.Fatal(errs[0])
						}
					}
					add()
					if set {
						r.clock.Set(off)
					} else {
						r.stop(time.Second, off)
					}
					if err := r.s.RemoveMessages(r.Context(), mailbox, []mail.MessageID{m.ID}); err != nil {
						t.Fatal(err)
					}
					r.clock.Set(0)
					for _, step := range []struct {
						pass    time.Duration
						markers int
					}{{time.Hour, 1}, {25 * time.Hour, 0}} {
						r.passes(step.pass)
						if _, err := r.s.Sweep(r.Context(), r.clock.Now().Add(-time.Minute)); err != nil {
							t.Fatal(err)
						}
						if markers := countRows(t, r.s, prefixRemoved); markers != step.markers {
							t.Errorf("%v later: %d markers of removals, want %d", step.pass, markers, step.markers)
						}
					}
				})
			})
		}
	}
}
