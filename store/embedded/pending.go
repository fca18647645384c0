package embedded

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"popelago/mail"
)

// pending holds content rows without a message. AddMessages writes a row together with the first message
// that needs it, so that a delivery is one write of the log, and content without a message is never
// written.
//
// The memory is bounded: beyond maxPending octets a row is written to the database at once, with an orphan
// row (prefixOrphan) beside it. Safe for concurrent use.
type pending struct {
	committer *committer
	now       func() time.Time
	logger    *slog.Logger
	n         atomic.Int64 // len(rows), to skip the lock for an empty map

	mu     sync.RWMutex
	rows   map[mail.MessageID]*pendingRow
	octets int
}

func newPending(cfg Config, c *committer) *pending {
	return &pending{committer: c, now: cfg.Now, logger: cfg.Logger, rows: make(map[mail.MessageID]*pendingRow)}
}

type pendingRow struct {
	value []byte // the content row, never changed
	size  int64  // octets of content
	kind  byte   // kindInline or kindFile
	nonce [8]byte
	putAt int64 // microseconds
	users int   // AddMessages calls in flight
}

const maxPending = 8 << 20

// put adds a content row. known reports an existing row, which stays.
func (p *pending) put(ctx context.Context, id mail.MessageID, c contentRow) (known bool, err error) {
	row := &pendingRow{value: c.encode(), size: c.info.Size, kind: c.kind, nonce: c.nonce, putAt: p.now().UnixMicro()}
	p.mu.Lock()
	if old := p.rows[id]; old != nil {
		p.mu.Unlock()
		return true, nil
	}
	full := p.octets+len(row.value) > maxPending
	if !full {
		p.addLocked(id, row)
	}
	p.mu.Unlock()
	if !full {
		return false, nil
	}
	return false, p.committer.commit(ctx, "put content "+id.String(), spill(id, row))
}

// spill writes a row without a message to the database.
func spill(id mail.MessageID, row *pendingRow) *write {
	return &write{prepare: func(g *group) error {
		ck, ok := contentKey(id), orphanKey(id)
		if err := g.batch.Set(ck[:], row.value, nil); err != nil {
			return err
		}
		return g.batch.Set(ok[:], encodeMoment(row.putAt), nil)
	}}
}

func (p *pending) addLocked(id mail.MessageID, row *pendingRow) {
	p.rows[id] = row
	p.octets += len(row.value)
	p.n.Store(int64(len(p.rows)))
}

func (p *pending) removeLocked(id mail.MessageID) {
	if row := p.rows[id]; row != nil {
		delete(p.rows, id)
		p.octets -= len(row.value)
		p.n.Store(int64(len(p.rows)))
	}
}

func (p *pending) get(id mail.MessageID) []byte {
	if p.n.Load() == 0 {
		return nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if row := p.rows[id]; row != nil {
		return row.value
	}
	return nil
}

// use returns the row for AddMessages, or nil. The row stays until release.
func (p *pending) use(id mail.MessageID) *pendingRow {
	if p.n.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	row := p.rows[id]
	if row != nil {
		row.users++
	}
	return row
}

// release ends use; written rows are forgotten.
func (p *pending) release(id mail.MessageID, row *pendingRow, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row.users--
	if written && p.rows[id] == row {
		p.removeLocked(id)
	}
}

// drop forgets a row.
func (p *pending) drop(id mail.MessageID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(id)
}

// takeOld forgets and returns the unused rows put before a moment.
func (p *pending) takeOld(before int64) map[mail.MessageID]*pendingRow {
	if p.n.Load() == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := make(map[mail.MessageID]*pendingRow)
	for id, row := range p.rows {
		if row.users == 0 && row.putAt < before {
			old[id] = row
		}
	}
	for id := range old {
		p.removeLocked(id)
	}
	return old
}

// keep writes the unused rows, so that a delivery can continue after a restart. A row stays in memory until it is
// written: an AddMessages that comes meanwhile writes it, too. Such contents may be lost, so a failure is only logged.
func (p *pending) keep() {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	var err error // after a failure the rest is only released
	for id, row := range p.useAll() {
		if err == nil {
			if err = p.committer.commit(ctx, "keep content "+id.String(), spill(id, row)); err != nil {
				p.logger.Warn("embedded store: content without a message not kept", "cause", err)
			}
		}
		p.release(id, row, err == nil)
	}
}

// useAll is use for all rows without a user.
func (p *pending) useAll() map[mail.MessageID]*pendingRow {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[mail.MessageID]*pendingRow)
	for id, row := range p.rows {
		if row.users == 0 {
			row.users++
			all[id] = row
		}
	}
	return all
}
