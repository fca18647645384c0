package cassandra

import (
	"context"
	"math"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// readWatermark reads up to when this server made ids.
func (s *engine) readWatermark(ctx context.Context) error {
	var high, written *int64
	_, err := s.readOne(ctx, statement{
		cql: selectWatermark, values: []any{encodeText(s.cfg.Server)}, consistency: gocql.LocalQuorum,
		what: "read the watermark of this server",
	}, &high, &written)
	if err != nil {
		return err
	}
	s.watch.high.Store(math.MinInt64)
	if high != nil {
		s.watch.high.Store(*high)
	}
	if written != nil {
		s.watch.written = *written
	}
	return nil
}

// note remembers an id that was written.
func (w *watch) note(id mail.MessageID) {
	at := id.Micros()
	for {
		old := w.issued.Load()
		if at <= old || w.issued.CompareAndSwap(old, at) {
			return
		}
	}
}

// raiseWatermark notes up to when this server has made ids. It is called while the clock can be
// trusted: what was made while it could not counts as made now.
func (s *engine) raiseWatermark(ctx context.Context) error {
	if err := s.watch.take(ctx); err != nil {
		return err
	}
	defer s.watch.give()
	issued := s.watch.issued.Load()
	high := min(issued, micros(s.wall()))
	if issued == 0 || high <= s.watch.high.Load() || !s.watch.known {
		return nil
	}
	return s.writeWatermark(ctx, high)
}

// writeWatermark notes a time. It wins over all that were noted before.
func (s *engine) writeWatermark(ctx context.Context, high int64) error {
	timestamp := max(high, s.watch.written+1)
	err := s.exec(ctx, statement{
		cql: insertWatermark, values: []any{encodeText(s.cfg.Server), high, timestamp},
		consistency: gocql.LocalQuorum, what: "note the watermark of this server",
	})
	if err == nil {
		s.watch.high.Store(high)
		s.watch.written = timestamp
	}
	return err
}

// TrustClock implements store.ClockKeeper: it lowers the watermark to now.
func (s *engine) TrustClock(ctx context.Context) error {
	if err := s.watch.take(ctx); err != nil {
		return err
	}
	defer s.watch.give()
	if err := s.readWatermark(ctx); err != nil { // whatever was written to it
		return err
	}
	s.watch.known = true
	if now := s.wall(); s.watch.high.Load() > micros(now) {
		if err := s.writeWatermark(ctx, micros(now)); err != nil {
			return err
		}
		s.watch.issued.Store(0)
		s.cfg.Logger.Info("an operator says that the clock is right", "now", now.Truncate(time.Second))
	}
	if err := s.compareHolding(ctx); err != nil {
		return err
	}
	return s.Clock()
}
