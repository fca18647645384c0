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

// Limits of the scan between two notes of its position. A restart repeats the scan from the last note.
const (
	maxOrphans = 20_000  // candidates in memory
	maxLooked  = 100_000 // chunks
	scanPage   = 1000    // chunks read at once
)

// orphanRun scans all content for orphans.
type orphanRun struct {
	*sweepRun
	percent int // of all content examined; r.mu guards it
}

// findOrphans scans from the noted position to the end. A scan that ended begins again if its last
// beginning was before begun. looked counts the chunks.
func (r *orphanRun) findOrphans(ctx context.Context, begun time.Time, looked *int) error {
	name := "orphans/" + r.cfg.Datacenter
	if !r.Mine(name) {
		r.report.Elsewhere++
		return nil
	}
	defer func() { // blocked contents are reported until the next scan begins
		r.state.passed += r.report.Blocked
		r.report.Blocked = r.state.passed
	}()
	watched := ctx
	ctx = store.Watch(ctx, func(soFar store.SweepReport) {
		store.Show(watched, store.OrphanReport{SweepReport: soFar, Looked: *looked, Percent: r.percent})
	})
	s, err := r.readScan(ctx, name)
	if err != nil {
		return err
	}
	if s.position == scanEnd {
		if !s.begun.Before(begun) {
			return nil
		}
		s.position, s.begun = scanStart, r.now
		r.state.passed = 0
	}
	for s.position < scanEnd && r.Mine(name) && r.MayReclaim() == nil && r.windows.fresh() == nil {
		s.position, err = r.scanSome(ctx, s.position, looked)
		if err == nil {
			err = r.tally.verdict() // if nothing could be read the position stays
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

// scanSome scans content after a position, removes the orphans found, and returns the new position.
func (r *orphanRun) scanSome(ctx context.Context, position int64, looked *int) (int64, error) {
	candidates := map[mail.MessageID]stored{}
	n, read := 0, false
	for n < maxLooked && len(candidates) < maxOrphans && position < scanEnd {
		start := time.Now()
		p, o, err := r.scanPage(ctx, position)
		if err != nil {
			return 0, err
		}
		if o == nil {
			read = true
		} else if !read && r.noArc(ctx) {
			return 0, o.err // not a part of the ring: the position stays
		} else {
			read = true
			r.addBlocked(1)
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
		r.note(ctx, looked, p)
		if err := r.pace(ctx, p.looked, time.Since(start)); err != nil {
			return 0, err
		}
	}
	return position, r.removeOrphans(ctx, candidates, n)
}

// note counts and shows a page of the scan.
func (r *orphanRun) note(ctx context.Context, looked *int, p scanned) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*looked += p.looked
	r.percent = percentOf(p.next)
	r.showLocked(ctx)
}

// percentOf returns the part of all tokens up to a position.
func percentOf(position int64) int {
	return int((float64(position) - scanStart) / (scanEnd - float64(scanStart)) * 100)
}

// unlisted returns the contents without a row in any mailbox. Contents that could not be proven are
// counted as blocked.
func (r *orphanRun) unlisted(ctx context.Context, contents map[mail.MessageID]stored) (map[mail.MessageID]stored, error) {
	alive, unproven, err := r.aliveRows(ctx, contents)
	if err != nil {
		return nil, err
	}
	some, unclear := without(contents, alive, unproven)
	r.addBlocked(unclear)
	return some, nil
}

// pace waits until n chunks have taken the time that Config.ScanRate demands.
func (r *orphanRun) pace(ctx context.Context, n int, took time.Duration) error {
	wait := time.NewTimer(time.Duration(n)*time.Second/time.Duration(r.cfg.ScanRate) - took)
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tokens below and above all tokens, see orphanScan.
const (
	scanStart = math.MinInt64
	scanEnd   = math.MaxInt64
)

// orphanScan holds the position of a scan: the content up to the token position is done.
type orphanScan struct {
	position int64
	begun    time.Time
	written  int64 // timestamp of the row
}

// readScan reads the position of a scan. A scan that never began is at its end.
func (r *orphanRun) readScan(ctx context.Context, name string) (s orphanScan, err error) {
	var begun *int64
	found, err := r.run.readOne(ctx, statement{
		cql: selectScan, values: []any{name}, consistency: gocql.LocalQuorum, what: "sweep: read the position of a scan",
	}, &s.position, &begun, &s.written)
	if !found {
		s.position = scanEnd
	}
	s.begun = moment(begun)
	return s, err
}

// noteScan writes the position of a scan.
func (r *orphanRun) noteScan(ctx context.Context, name string, s *orphanScan) error {
	s.written = max(micros(r.cfg.Now()), s.written+1)
	return r.run.exec(ctx, statement{
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

// scanned is one page of content.
type scanned struct {
	wholes map[mail.MessageID]stored // contents that are old enough, by their chunk 0
	parts  []part                    // other chunks that are old enough
	looked int                       // chunks read
	next   int64                     // the position after them
}

// scanPage reads a page of content after a position. If the page cannot be read, scanPage reads the arc of the position. An arc
// that cannot be read is an obstacle, and has no rows: the next search comes back to the arc. An overloaded server ends the search.
func (r *orphanRun) scanPage(ctx context.Context, position int64) (p scanned, o *obstacle, err error) {
	p, err = r.scanContents(ctx, scanContents, scanEnd, position, scanPage)
	if !partLost(ctx, err) {
		return p, nil, err
	}
	end := arcEnd(position)
	p, err = r.scanContents(ctx, scanContentsArc, end, position, end, scanPage)
	if !partLost(ctx, err) {
		return p, nil, err
	}
	return scanned{next: end}, &obstacle{err: err}, nil
}

// noArc reports whether no arc can be read.
func (r *orphanRun) noArc(ctx context.Context) bool {
	for position := int64(scanStart); position < scanEnd; position = arcEnd(position) {
		if _, err := r.scanContents(ctx, scanContentsArc, position, position, arcEnd(position), 1); err == nil {
			return false
		}
	}
	return true
}

// scanContents reads a page of content after a position, with a statement that reads up to the token end.
func (r *orphanRun) scanContents(ctx context.Context, cql string, end int64, values ...any) (p scanned, err error) {
	p = scanned{wholes: map[mail.MessageID]stored{}, next: values[0].(int64)}
	err = r.run.readAll(ctx, statement{
		cql: cql, values: values, consistency: gocql.LocalQuorum,
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
			p.wholes[id] = stored{size: *size, chunks: chunks, recipients: mailboxIDs(recipients), removed: mailboxIDs(removed)}
		}
		return nil
	})
	if p.looked < scanPage {
		p.next = end
	}
	return p, err
}

// removeParts removes the chunks of contents without a chunk 0.
func (r *orphanRun) removeParts(ctx context.Context, parts []part) error {
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
	r.addBlocked(unclear)
	for _, p := range loose {
		o, err := r.tally.failed(ctx, statement{}, r.removeChunk(ctx, p.message, p.chunk))
		if err != nil {
			return err
		}
		if o != nil {
			r.addBlocked(1)
		}
	}
	return nil
}

// removeOrphans removes the candidates, contents without a row, that no trash names. The trash is read
// after the rows: trash is written before a row is removed.
//
// A removal by a server whose clock was behind may be in the trash of an hour that was already swept.
// Such hours are swept again.
//
// Too many orphans among the chunks looked at mean that rows were lost: then nothing is removed. looked
// is zero if the caller has checked the share itself.
func (r *orphanRun) removeOrphans(ctx context.Context, candidates map[mail.MessageID]stored, looked int) error {
	if len(candidates) == 0 {
		return nil
	}
	found, err := r.searchTrash(ctx, candidates)
	if err != nil {
		return err
	}
	candidates, unclear := without(candidates, found.by, found.unread)
	r.addBlocked(unclear)
	if n := missed(candidates); n > orphanBrake && n*orphanShare > looked && looked > 0 {
		return fmt.Errorf("cassandra: sweep: %w: %d of %d contents are in no mailbox, so many that rows must have been lost: look with \"popelago check\"",
			store.ErrCorrupt, n, looked)
	}
	ids := slices.SortedFunc(maps.Keys(candidates), mail.MessageID.Compare)
	for some := range slices.Chunk(ids, parallelProofs) {
		few := map[mail.MessageID]stored{}
		for _, id := range some {
			few[id] = candidates[id]
		}
		if err := r.removeUnlisted(ctx, few); err != nil {
			return err
		}
	}
	return r.emptyLate(ctx, found.parts)
}

// removeUnlisted removes a few candidates that still have no row.
//
// Since the rows were read, a rebuild of a mailbox may have listed a candidate again. A rebuild holds the
// floor of its mailbox before it adds rows (see floors.hold). So the holds are read first, and a held
// mailbox keeps its contents; then the rows are read again. The removals end within half of the pause of
// hold, counted from the first look at a hold, or are given up.
func (r *orphanRun) removeUnlisted(ctx context.Context, few map[mail.MessageID]stored) error {
	bounded, cancel := context.WithTimeout(ctx, floorWrites)
	defer cancel()
	few, err := r.notHeld(ctx, few)
	if err != nil {
		return err
	}
	if few, err = r.unlisted(ctx, few); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(few), mail.MessageID.Compare) {
		o, err := r.tally.failed(ctx, statement{}, r.remove(bounded, id, few[id]))
		if err != nil {
			return err
		}
		if o != nil {
			r.addBlocked(1)
		}
	}
	return nil
}

// notHeld returns the contents without a mailbox whose floor is held. Contents with a held mailbox are
// counted as held, and contents with a floor that could not be read as blocked.
func (r *orphanRun) notHeld(ctx context.Context, contents map[mail.MessageID]stored) (map[mail.MessageID]stored, error) {
	held, unread := map[mail.MessageID][]mail.MailboxID{}, map[mail.MessageID]*obstacle{}
	byMailbox := byMailbox(contents)
	err := atOnce(ctx, parallelProofs, sortedIDs(byMailbox), func(ctx context.Context, mailbox mail.MailboxID) error {
		isHeld, err := r.floors.isHeld(ctx, mailbox)
		o, err := r.tally.proof(ctx, statement{}, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range byMailbox[mailbox] {
			if o != nil {
				unread[id] = o
			} else if isHeld {
				held[id] = append(held[id], mailbox)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	free, unclear := without(contents, held, unread)
	r.addBlocked(unclear)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Held += len(held)
	return free, nil
}

// More orphans than orphanBrake, and more than one in orphanShare of the chunks looked at, mean lost
// rows.
const (
	orphanBrake = 100
	orphanShare = 10
)

// missed counts the contents with a mailbox that is not known to have removed them.
func missed(contents map[mail.MessageID]stored) (n int) {
	for _, c := range contents {
		if slices.ContainsFunc(c.recipients, func(m mail.MailboxID) bool { return !slices.Contains(c.removed, m) }) {
			n++
		}
	}
	return n
}

// emptyLate sweeps the partitions of the trash before the progress of Sweep.
func (r *orphanRun) emptyLate(ctx context.Context, parts map[trashPart]bool) error {
	for _, p := range slices.SortedFunc(maps.Keys(parts), trashPart.compare) {
		if !slices.Contains(r.cfg.sweptDatacenters(), p.datacenter) {
			continue
		}
		next, o, err := r.shardProgress(ctx, trashName(p.datacenter, p.shard))
		if err != nil {
			return err
		}
		if o != nil || p.hour >= next {
			continue
		}
		h, err := (&trashRun{r.sweepRun, next}).emptyHour(ctx, p, hourState{})
		if err != nil {
			return err
		}
		r.addBlocked(h.blocked)
	}
	return nil
}
