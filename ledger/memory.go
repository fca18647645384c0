package ledger

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"popelago/store"
)

// memory holds the attempts of this process and the attempts read from the store. One delivery
// uses an attempt: only the first reserve or withdraw returns the attempt. Safe for concurrent use.
type memory struct {
	max    int  // of weight
	shared bool // with other servers, through the store

	mu            sync.Mutex
	byFingerprint map[Fingerprint][]*record
	order         list.List // of *record, by arrival
	weight        int       // of all records
	open          int       // records not used
}

// record is an attempt in memory. The lock of the memory guards its fields.
type record struct {
	store.Attempt
	element *list.Element // nil: forgotten

	// used: a delivery has used the attempt. Where the ledger is shared the record stays, so that
	// the attempt is not read from the store again.
	used bool
	// write is the write to the store that has not succeeded yet. A reserved record has no pending
	// write: its claim writes to the store itself.
	write pendingWrite
	// datacenter is Store.Origin when the store had the attempt; empty: unknown.
	datacenter string
}

// pendingWrite is a write to the store to be repeated.
type pendingWrite int

const (
	writeNone pendingWrite = iota
	writeInsert
	writeRemoval
)

// view is a copy of a record, for use without the lock.
type view struct {
	store.Attempt
	record     *record
	inserted   bool   // into the store
	datacenter string // see record
}

func newMemory(most int, shared bool) *memory {
	return &memory{max: most, shared: shared, byFingerprint: map[Fingerprint][]*record{}}
}

// weightOf returns the share of an attempt in the limit of the memory: one for each recipient, at
// least one.
func weightOf(a store.Attempt) int { return max(1, len(a.Recipients)) }

// sameAttempt reports whether two attempts have the same key in the store.
func sameAttempt(a, b store.Attempt) bool {
	return a.Fingerprint == b.Fingerprint && a.ID == b.ID && a.Entered.Equal(b.Entered)
}

// add remembers an attempt, and forgets the oldest attempts beyond the limit. pending says that the
// store does not have the attempt yet; otherwise datacenter is Store.Origin when the attempt was
// read. added is nil if the memory has the attempt already.
func (m *memory) add(a store.Attempt, pending bool, datacenter string) (added *record, forgotten int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	same := m.byFingerprint[a.Fingerprint]
	if slices.ContainsFunc(same, func(r *record) bool { return sameAttempt(a, r.Attempt) }) {
		return nil, 0
	}
	added = &record{Attempt: a, datacenter: datacenter}
	if pending {
		added.write = writeInsert
	}
	added.element = m.order.PushBack(added)
	m.byFingerprint[a.Fingerprint] = append(same, added)
	m.open++
	for m.weight += weightOf(a); m.weight > m.max && m.order.Len() > 1; {
		oldest := m.order.Front().Value.(*record)
		if !oldest.used {
			forgotten++
		}
		m.forgetLocked(oldest)
	}
	return added, forgotten
}

// forgetLocked drops a record. It may be called again.
func (m *memory) forgetLocked(r *record) {
	if r.element == nil {
		return
	}
	m.order.Remove(r.element)
	r.element = nil
	m.weight -= weightOf(r.Attempt)
	if !r.used {
		m.open--
	}
	same := slices.DeleteFunc(m.byFingerprint[r.Fingerprint], func(other *record) bool { return r == other })
	if len(same) == 0 {
		delete(m.byFingerprint, r.Fingerprint)
		return
	}
	m.byFingerprint[r.Fingerprint] = same
}

// useLocked marks a record as used. The store still has the attempt.
func (m *memory) useLocked(r *record) {
	if !m.shared {
		m.forgetLocked(r)
	}
	if r.element != nil {
		m.weight += 1 - weightOf(r.Attempt)
		m.open--
	}
	r.Recipients = nil
	r.used, r.write = true, writeNone
}

// reserve returns the attempts with a fingerprint and the key of a row, and marks them as used.
// The exchange writes nothing about a reserved attempt: an attempt missing in the store was used by
// another server.
func (m *memory) reserve(f Fingerprint, rows []Row, now time.Time) (reserved []view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	same := m.byFingerprint[f]
	if len(same) == 0 {
		return nil
	}
	keys := make(map[copyKey]bool, len(rows))
	for i := range rows {
		keys[rows[i].key()] = true
	}
	for _, r := range slices.Clone(same) {
		if r.used || !r.Until.After(now) || !concerns(r.Attempt, keys) {
			continue
		}
		reserved = append(reserved, r.viewLocked())
		m.useLocked(r)
	}
	return reserved
}

// concerns reports whether the sender may repeat an attempt for some rows: the sender does not
// know of a success.
func concerns(a store.Attempt, keys map[copyKey]bool) bool {
	return slices.ContainsFunc(a.Recipients, func(r store.AttemptRecipient) bool {
		return keys[attemptKey(r)] && !r.Told
	})
}

// release undoes reserve for an attempt unchanged in the store.
func (m *memory) release(v view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := v.record
	if r.element == nil {
		return // forgotten since
	}
	m.weight += weightOf(v.Attempt) - 1
	m.open++
	r.Attempt, r.used, r.write = v.Attempt, false, writeNone
	if !v.inserted {
		r.write = writeInsert
	}
}

// withdraw marks one record as used, and leaves its removal from the store to do. ok is false if a
// delivery has used the record already.
func (m *memory) withdraw(r *record) (v view, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.used {
		return view{}, false
	}
	v = r.viewLocked()
	m.useLocked(r)
	if m.shared {
		r.write = writeRemoval
	}
	return v, true
}

// view copies a record.
func (m *memory) view(r *record) view {
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.viewLocked()
}

func (r *record) viewLocked() view {
	return view{r.Attempt, r, r.write != writeInsert, r.datacenter}
}

// inserted notes that the store has an attempt; datacenter is Store.Origin at the time.
func (m *memory) inserted(r *record, datacenter string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.datacenter = datacenter; r.write == writeInsert {
		r.write = writeNone
	}
}

// removalFailed notes that the store may still have a used attempt.
func (m *memory) removalFailed(r *record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.write = writeRemoval
}

// removed notes that the store does not have a used attempt any more.
func (m *memory) removed(r *record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.write == writeRemoval {
		r.write = writeNone
	}
}

// pending returns the attempts to be inserted into the store, and to be removed from the store.
func (m *memory) pending() (inserts, removals []view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.order.Front(); e != nil; e = e.Next() {
		switch r := e.Value.(*record); r.write {
		case writeInsert:
			inserts = append(inserts, r.viewLocked())
		case writeRemoval:
			removals = append(removals, r.viewLocked())
		}
	}
	return inserts, removals
}

// expire forgets expired attempts.
func (m *memory) expire(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for e := m.order.Front(); e != nil; {
		r := e.Value.(*record)
		e = e.Next()
		if !r.Until.After(now) {
			m.forgetLocked(r)
		}
	}
}

// count returns the number of usable attempts.
func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}
