package embedded

import "time"

// Delays between attempts to open the database again.
const (
	reviveFirst = 20 * time.Millisecond
	reviveMax   = 2 * time.Second
)

// reviver opens the database again after a failure.
func (l *link) reviver() {
	var retry <-chan time.Time
	delay := reviveFirst
	for {
		select {
		case <-l.closing.begun:
			return
		case <-l.revive:
			delay = reviveFirst
		case <-retry:
			delay = min(2*delay, reviveMax)
		}
		retry = nil
		if !l.reopen() {
			retry = time.After(delay)
		}
	}
}

// reopen replaces a failed or read-only database. It reports whether the database is open for writing.
func (l *link) reopen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.database
	if l.closed || old != nil && !old.readOnly && old.fs.broken() == nil {
		return true
	}
	if old != nil {
		if fault := old.fs.broken(); fault != nil {
			l.down = fault
		}
		if old.readOnly && old.fs.broken() == nil && !l.space.roomToOpen() {
			return false
		}
		l.database = nil
		old.fs.fence()
		if err := old.db.Close(); err != nil {
			l.logger.Debug("embedded store: closing the ended database", "cause", err)
		}
	}
	d, err := l.opener.openWriting(l.failed)
	if err == nil {
		l.database = d
		l.down = nil
		l.logger.Info("embedded store: the database is open again")
		return true
	}
	l.down = err
	l.logger.Error("embedded store: cannot open the database again yet", "cause", err)
	if d, roErr := l.opener.open(true, l.failed); roErr == nil {
		l.database = d
	}
	return false
}
