package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// holdTime is how long HoldFloor keeps a floor where it is.
const holdTime = 2 * time.Hour

// floorWrites is how long raiseFloor may take from its last look at the hold to the end of its last
// write.
const floorWrites = 30 * time.Second

// holdPause is how long after a floor was held it may still rise: a minute, or the in-flight window
// if that is shorter, as in tests.
func (c Config) holdPause() time.Duration { return min(c.Window, 2*floorWrites) }

// HoldFloor implements store.Checks. The hold is written before the pause and read at ALL by
// whoever raises the floor, right before removing anything. So a floor job that did not see the
// hold has ended when HoldFloor returns, and its floor can be read.
func (s *Store) HoldFloor(ctx context.Context, mailbox mail.MailboxID) error {
	now := s.now()
	if err := s.exec(ctx, statement{
		cql: holdFloor, values: []any{gocql.UUID(mailbox), micros(now.Add(holdTime)), int(holdTime / time.Second), micros(now)},
		consistency: s.writes(), what: fmt.Sprintf("hold the floor of mailbox %s", mailbox),
	}); err != nil {
		return err
	}
	pause := time.NewTimer(s.cfg.holdPause())
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("cassandra: hold the floor of mailbox %s: %w", mailbox, ctx.Err())
	}
}

// isHeld reads at ALL whether the floor of a mailbox must not rise.
func (r *sweeper) isHeld(ctx context.Context, mailbox mail.MailboxID) (bool, error) {
	_, until, err := r.readFloor(ctx, mailbox, gocql.All)
	return until.After(r.cfg.Now()), err
}
