package pop3server

import (
	"sync"

	"popelago/mail"
)

// openSessions counts the open sessions of each maildrop on this server. Safe for concurrent use.
type openSessions struct {
	limit int

	mu   sync.Mutex
	open map[mail.MailboxID]int
}

func newOpenSessions(limit int) *openSessions {
	return &openSessions{limit: limit, open: map[mail.MailboxID]int{}}
}

// begin counts one more session. It returns false if the maildrop has reached the limit.
func (o *openSessions) begin(mailbox mail.MailboxID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open[mailbox] >= o.limit {
		return false
	}
	o.open[mailbox]++
	return true
}

// end undoes a successful begin.
func (o *openSessions) end(mailbox mail.MailboxID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open[mailbox]--; o.open[mailbox] <= 0 {
		delete(o.open, mailbox)
	}
}
