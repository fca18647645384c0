package pop3server

import (
	"sync"
	"time"

	"popelago/mail"
)

// loginTimes holds the time of the last login to each maildrop in this process, for LOGIN-DELAY (RFC
// 2449 section 6.5). Safe for concurrent use.
type loginTimes struct {
	delay time.Duration

	mu    sync.Mutex
	last  map[mail.MailboxID]time.Time
	sweep int // size of last at which old entries are removed
}

func newLoginTimes(delay time.Duration) *loginTimes {
	return &loginTimes{delay: delay, last: map[mail.MailboxID]time.Time{}, sweep: 1000}
}

// allow reports whether a login may go on now, and notes the time of an allowed login.
func (l *loginTimes) allow(mailbox mail.MailboxID) bool {
	if l.delay <= 0 {
		return true
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.last[mailbox]; ok && now.Sub(last) < l.delay {
		return false
	}
	if len(l.last) >= l.sweep {
		for box, last := range l.last {
			if now.Sub(last) >= l.delay {
				delete(l.last, box)
			}
		}
		l.sweep = max(1000, 2*len(l.last))
	}
	l.last[mailbox] = now
	return true
}

// forget undoes allow, for a login that failed after all.
func (l *loginTimes) forget(mailbox mail.MailboxID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, mailbox)
}
