package webhook_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"popelago/store"
)

// watchedJournal can lose the heads of all lanes, and counts the writes of epochs.
type watchedJournal struct {
	store.Journal
	headless atomic.Bool
	epochs   atomic.Int64
}

func (j *watchedJournal) Marks(ctx context.Context, list string) ([]store.Mark, error) {
	if j.headless.Load() && strings.HasPrefix(list, "head ") {
		return nil, nil
	}
	return j.Journal.Marks(ctx, list)
}

func (j *watchedJournal) AdvanceMarks(ctx context.Context, list string, marks []store.Mark, keep time.Duration) error {
	if strings.HasPrefix(list, "epoch ") {
		j.epochs.Add(1)
	}
	return j.Journal.AdvanceMarks(ctx, list, marks, keep)
}

// movedShare can give all work to another server.
type movedShare struct {
	store.Upkeep
	elsewhere atomic.Bool
}

func (s *movedShare) Mine(work string) bool { return !s.elsewhere.Load() && s.Upkeep.Mine(work) }

func refuse(w http.ResponseWriter, _ []got) bool {
	w.WriteHeader(http.StatusInternalServerError)
	return false
}

// The head of a lane is lost while a webhook refuses events of the lane. The webhook gets the events that were read before.
func TestHeadLostWhileRefused(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	j := &watchedJournal{Journal: st.Journal.Local}
	st.Journal.Local = j
	cfg := configured(r)
	s := start(t, cfg, st)
	began(t, cfg, st)
	r.answers(refuse)
	s.Happened(accepted(0, 1))
	eventually(t, "a refused request", func() bool { return r.asked() >= 1 })
	j.headless.Store(true)
	before := r.asked()
	eventually(t, "two rounds without a head", func() bool { s.Wake(); return r.asked() >= before+2 })
	r.taking()
	r.wantAll(1, 1)
	j.headless.Store(false)
	s.Happened(accepted(0, 2))
	r.wantAll(1, 2)
}

// Another server sends the events that a webhook refused: this server no longer reports the failure.
func TestFailureOfAPartThatMoved(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	share := &movedShare{Upkeep: st.Upkeep.Local}
	st.Upkeep.Local = share
	cfg := configured(r)
	s := start(t, cfg, st)
	began(t, cfg, st)
	r.answers(refuse)
	s.Happened(accepted(0, 1))
	eventually(t, "the failure", func() bool { return len(s.Failures()) > 0 })
	share.elsewhere.Store(true)
	eventually(t, "the end of the failure", func() bool { return len(s.Failures()) == 0 })
	share.elsewhere.Store(false)
	eventually(t, "the failure again", func() bool { return len(s.Failures()) > 0 })
	r.taking()
	r.wantAll(1, 1)
	eventually(t, "no failure", func() bool { return len(s.Failures()) == 0 })
}

// The mark of an epoch does not expire: the sender writes the mark again.
func TestEpochIsWrittenAgain(t *testing.T) {
	r, st := newReceiver(t), newStore(t)
	j := &watchedJournal{Journal: st.Journal.Local}
	st.Journal.Local = j
	var ahead atomic.Int64
	cfg := configured(r)
	cfg.Place.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	s := start(t, cfg, st)
	began(t, cfg, st)
	for month := range 3 {
		before := j.epochs.Load()
		ahead.Add(int64(31 * 24 * time.Hour))
		eventually(t, "a further write of the epoch", func() bool { s.Wake(); return j.epochs.Load() > before })
		s.Happened(accepted(0, month+1))
		r.wantAll(1, month+1)
	}
}
