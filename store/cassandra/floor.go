package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cache"
	"popelago/mail"
	"popelago/store"
)

// floors reads and caches the floors of mailboxes. No message below a floor is alive. Safe for
// concurrent use.
type floors struct {
	cfg   Config
	run   *runner
	cache cache.Cache[mail.MailboxID, mail.MessageID]
}

// Bounds of the cache of floors.
const (
	maxFloors = 100_000
	keepFloor = 10 * time.Minute
)

func newFloors(cfg Config, run *runner) *floors {
	return &floors{cfg, run, cache.NewExpiring[mail.MailboxID, mail.MessageID](maxFloors, keepFloor)}
}

// of returns the floor of a mailbox, for reading fewer rows. The floor may come from the cache: if it
// has risen since, more rows than necessary are read.
func (f *floors) of(ctx context.Context, mailbox mail.MailboxID, reads gocql.Consistency) (mail.MessageID, error) {
	if err := f.run.ready(ctx, "read a floor"); err != nil {
		return mail.MessageID{}, err
	}
	if floor, known := f.cache.Get(mailbox); known {
		return floor, nil
	}
	floor, _, err := f.read(ctx, mailbox, reads)
	if err == nil {
		f.cache.Set(mailbox, floor)
	}
	return floor, err
}

// read reads the floor of a mailbox, and until when the floor must not rise.
func (f *floors) read(ctx context.Context, mailbox mail.MailboxID, reads gocql.Consistency) (floor mail.MessageID, held time.Time, err error) {
	var stored gocql.UUID
	var until *int64
	found, err := f.run.readOne(ctx, statement{
		cql: selectFloor, values: []any{gocql.UUID(mailbox)}, consistency: reads,
		what: fmt.Sprintf("read the floor of mailbox %s", mailbox),
	}, &stored, &until)
	if err != nil {
		return mail.MessageID{}, time.Time{}, err
	}
	if floor = mail.MessageID(stored); !found || floor.Compare(firstID()) < 0 {
		floor = firstID()
	}
	return floor, moment(until), nil
}

// write writes the floor of a mailbox, with the time of the floor as timestamp: a lower floor never
// replaces a higher one.
func (f *floors) write(ctx context.Context, mailbox mail.MailboxID, floor mail.MessageID) error {
	err := f.run.exec(ctx, statement{
		cql: insertFloor, values: []any{gocql.UUID(mailbox), gocql.UUID(floor), floor.Micros()},
		consistency: gocql.LocalQuorum, what: fmt.Sprintf("raise the floor of mailbox %s", mailbox),
	})
	if err == nil {
		f.cache.Set(mailbox, floor)
	}
	return err
}

// floorWrites is the time that a floor job, or a removal of orphans, has from its last look at the hold to
// the end of its last write.
const floorWrites = 30 * time.Second

// holdPause returns the time for which a held floor may still rise, and an orphan be removed: a minute, or the in-flight window
// if the window is shorter, as in tests.
func (c Config) holdPause() time.Duration { return min(c.Window, 2*floorWrites) }

// hold implements store.Checks.HoldFloor. The hold is written before the pause, and every floor job
// reads it at ALL right before it removes rows. So a floor job that did not see the hold has ended
// after the pause, and its floor can be read. The same goes for a removal of orphans, see
// orphanRun.removeUnlisted.
func (f *floors) hold(ctx context.Context, mailbox mail.MailboxID, writes gocql.Consistency) error {
	now := f.cfg.Now()
	if err := f.run.exec(ctx, statement{
		cql: holdFloor, values: []any{gocql.UUID(mailbox), micros(now.Add(store.FloorHold)), ttlSeconds(now, store.FloorHold), micros(now)},
		consistency: writes, what: fmt.Sprintf("hold the floor of mailbox %s", mailbox),
	}); err != nil {
		return err
	}
	pause := time.NewTimer(f.cfg.holdPause())
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cassandra: hold the floor of mailbox %s: %w", mailbox, ctx.Err())
	}
}

// isHeld reads at ALL whether the floor of a mailbox must not rise.
func (f *floors) isHeld(ctx context.Context, mailbox mail.MailboxID) (bool, error) {
	_, until, err := f.read(ctx, mailbox, gocql.All)
	return until.After(f.cfg.Now()), err
}

// close ends the goroutines of the cache.
func (f *floors) close() { f.cache.Close() }
