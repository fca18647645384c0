package cassandra

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// Limits of what is held in memory, and done again after a restart, before candidates are
// checked and the position is noted.
const (
	maxOrphans = 20_000  // candidates
	maxLooked  = 100_000 // pieces of content
	scanPage   = 1000    // pieces of content read at once
)

// SweepOrphans implements store.Background. It looks through all content, in the order of the
// tokens of Cassandra, for what nobody will ever ask for: contents of which no mailbox has a row
// and that no trash names, and chunks without a chunk 0. How far it came is noted in the
// cluster; one server of the datacenter does it, and another goes on when that one is gone.
func (s *Store) SweepOrphans(ctx context.Context, olderThan, begun time.Time) (report store.OrphanReport, err error) {
	report.SweepReport, err = s.inBackground(ctx, &s.sweeping.orphans, olderThan, func(r *sweeper, ctx context.Context) error {
		return r.findOrphans(ctx, begun, &report.Looked)
	})
	return report, err
}

func (r *sweeper) findOrphans(ctx context.Context, begun time.Time, looked *int) error {
	name := "orphans/" + r.cfg.Datacenter
	if !r.Mine(name) {
		r.report.Elsewhere++
		return nil
	}
	defer func() { // what a scan left is shown until the next one begins
		r.sweeping.passed += r.report.Blocked
		r.report.Blocked = r.sweeping.passed
	}()
	s, err := r.readScan(ctx, name)
	if err != nil {
		return err
	}
	if s.position == scanEnd {
		if !s.begun.Before(begun) {
			return nil
		}
		s.position, s.begun = scanStart, r.now
		r.sweeping.passed = 0
	}
	for s.position < scanEnd && r.Mine(name) && r.MayReclaim() == nil {
		s.position, err = r.scanSome(ctx, s.position, looked)
		if err == nil {
			err = r.tally.verdict() // of what cannot be looked at nothing is skipped
		}
		if err != nil {
			return err
		}
		if err := r.noteScan(ctx, name, &s); err != nil {
			return err
		}
	}
	return nil
}

// scanSome looks through content behind a position, checks what it finds suspect there, and
// returns the position that it came to.
func (r *sweeper) scanSome(ctx context.Context, position int64, looked *int) (int64, error) {
	candidates := map[mail.MessageID]stored{}
	n := 0
	for n < maxLooked && len(candidates) < maxOrphans && position < scanEnd {
		start := time.Now()
		p, err := r.scanContents(ctx, position)
		if err != nil {
			return 0, err
		}
		unlisted, err := r.unlisted(ctx, p.wholes)
		if err != nil {
			return 0, err
		}
		maps.Copy(candidates, unlisted)
		if err := r.removeParts(ctx, p.parts); err != nil {
			return 0, err
		}
		position = p.next
		n += p.looked
		*looked += p.looked
		if err := r.pace(ctx, p.looked, time.Since(start)); err != nil {
			return 0, err
		}
	}
	return position, r.removeOrphans(ctx, candidates, n)
}

// unlisted are those of some contents that no mailbox has a row of. Those of which that could not be
// proven are counted as blocked.
func (r *sweeper) unlisted(ctx context.Context, contents map[mail.MessageID]stored) (map[mail.MessageID]stored, error) {
	alive, unproven, err := r.aliveRows(ctx, contents)
	if err != nil {
		return nil, err
	}
	some, unclear := without(contents, alive, unproven)
	r.isBlocked(unclear)
	return some, nil
}

// pace waits until n pieces of content have taken as long as Config.ScanRate says.
func (r *sweeper) pace(ctx context.Context, n int, took time.Duration) error {
	wait := time.NewTimer(time.Duration(n)*time.Second/time.Duration(r.cfg.ScanRate) - took)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tokens below and above all others, see scan.
const (
	scanStart = math.MinInt64
	scanEnd   = math.MaxInt64
)

// scan says how far a look through all content has come: all up to the token position is done.
type scan struct {
	position int64
	begun    time.Time
	written  int64 // timestamp of its row
}

// readScan reads how far a scan has come. One that never began is at its end.
func (r *sweeper) readScan(ctx context.Context, name string) (s scan, err error) {
	var begun *int64
	found, err := r.readOne(ctx, statement{
		cql: selectScan, values: []any{name}, consistency: gocql.LocalQuorum, what: "sweep: read the position of a scan",
	}, &s.position, &begun, &s.written)
	if !found {
		s.position = scanEnd
	}
	s.begun = moment(begun)
	return s, err
}

// noteScan notes how far a scan has come.
func (r *sweeper) noteScan(ctx context.Context, name string, s *scan) error {
	s.written = max(micros(r.cfg.Now()), s.written+1)
	return r.exec(ctx, statement{
		cql:         insertScan,
		values:      []any{name, s.position, micros(s.begun), s.written},
		consistency: gocql.LocalQuorum,
		what:        "sweep: note the position of a scan",
	})
}

// part is a chunk other than the first.
type part struct {
	message mail.MessageID
	chunk   int
}

// scanned is one page of all content.
type scanned struct {
	wholes map[mail.MessageID]stored // old enough, by their chunk 0
	parts  []part                    // other chunks, old enough
	looked int                       // pieces read
	next   int64                     // the position behind them
}

// scanContents reads a page of content behind a position.
func (r *sweeper) scanContents(ctx context.Context, position int64) (p scanned, err error) {
	p = scanned{wholes: map[mail.MessageID]stored{}, next: position}
	err = r.readAll(ctx, statement{
		cql: scanContents, values: []any{position, scanPage}, consistency: gocql.LocalQuorum,
		what: "sweep: look through all content",
	}, scanPage, func(scan func(...any) error) error {
		var id mail.MessageID
		var chunk int
		var size *int64
		var chunks int
		var recipients, removed []gocql.UUID
		if err := scan(&p.next, (*gocql.UUID)(&id), &chunk, &size, &chunks, &recipients, &removed); err != nil {
			return err
		}
		p.looked++
		switch {
		case id.Micros() >= r.before:
		case chunk > 0:
			p.parts = append(p.parts, part{id, chunk})
		case size != nil:
			p.wholes[id] = stored{size: *size, chunks: chunks, recipients: mailboxes(recipients), removed: mailboxes(removed)}
		}
		return nil
	})
	if p.looked < scanPage {
		p.next = scanEnd
	}
	return p, err
}

// removeParts removes those chunks that have no chunk 0.
func (r *sweeper) removeParts(ctx context.Context, parts []part) error {
	seen := map[mail.MessageID]bool{}
	var ids []mail.MessageID
	for _, p := range parts {
		if !seen[p.message] {
			seen[p.message] = true
			ids = append(ids, p.message)
		}
	}
	whole, unread, err := r.contents(ctx, ids)
	if err != nil {
		return err
	}
	loose, unclear := withoutFirst(parts, whole, unread)
	r.isBlocked(unclear)
	for _, p := range loose {
		o, err := r.tally.failed(ctx, statement{}, r.removeChunk(ctx, p.message, p.chunk))
		if err != nil {
			return err
		}
		if o != nil {
			r.isBlocked(1)
		}
	}
	return nil
}

// removeOrphans removes those of some contents without a row that no trash names either. The
// trash is read after the rows: a row that was gone has had its trash before.
//
// What a server whose clock was behind removed may be in the trash of an hour that was worked off
// already. Such hours are worked off again.
//
// Where they are too many among those looked at, the rows have been lost: then nothing is
// removed. looked is zero if somebody else has seen to that.
func (r *sweeper) removeOrphans(ctx context.Context, candidates map[mail.MessageID]stored, looked int) error {
	if len(candidates) == 0 {
		return nil
	}
	found, err := r.findNamed(ctx, candidates)
	if err != nil {
		return err
	}
	candidates, unclear := without(candidates, found.by, found.unread)
	r.isBlocked(unclear)
	if n := missed(candidates); n > orphanBrake && n*orphanShare > looked && looked > 0 {
		return fmt.Errorf("cassandra: sweep: %w: %d of %d contents are in no mailbox, so many that rows must have been lost: look with \"popelago check\"",
			store.ErrCorrupt, n, looked)
	}
	for id, c := range candidates {
		o, err := r.tally.failed(ctx, statement{}, r.remove(ctx, id, c))
		if err != nil {
			return err
		}
		if o != nil {
			r.isBlocked(1)
		}
	}
	return r.emptyLate(ctx, found.parts)
}

// More orphans than orphanBrake, and than one in orphanShare of what was looked at, are no
// left-overs.
const (
	orphanBrake = 100
	orphanShare = 10
)

// missed counts those of some contents that somebody may miss: who is not known to have removed
// them.
func missed(contents map[mail.MessageID]stored) (n int) {
	for _, c := range contents {
		if slices.ContainsFunc(c.recipients, func(m mail.MailboxID) bool { return !slices.Contains(c.removed, m) }) {
			n++
		}
	}
	return n
}

// emptyLate works off those of some parts of the trash that Sweep will not come to any more.
func (r *sweeper) emptyLate(ctx context.Context, parts map[trashPart]bool) error {
	for p := range parts {
		if !slices.Contains(r.trashOf(), p.datacenter) {
			continue
		}
		next, o, err := r.shardProgress(ctx, trashName(p.datacenter, p.shard))
		if err != nil {
			return err
		}
		if o != nil || p.hour >= next {
			continue
		}
		h, err := r.emptyHour(ctx, p, hourState{})
		if err != nil {
			return err
		}
		r.isBlocked(h.blocked)
	}
	return nil
}
