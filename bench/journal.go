package bench

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// journalHeader is the first line of a journal.
const journalHeader = "popelago-bench-journal 1"

// journalBuffer is the number of octets that a journal buffers before it writes.
const journalBuffer = 64 << 10

// Journal is a file in which Deliver, Drain and Verify record their requests to the server and its
// replies. Writers only append whole lines, so several runs, at once or one after the other, may
// use the same file. One line is one record:
//
//	I TOKEN MAILBOX...          the message is about to be sent to these mailboxes
//	A TOKEN MAILBOX             the server took the message (2xx after the content)
//	R TOKEN MAILBOX REPLY       the server did not take the message, for certain
//	U TOKEN MAILBOX REASON      unknown outcome: 4xx after the content, or no reply
//	S MAILBOX UIDL TOKEN        seen in the maildrop
//	D SESSION MAILBOX UIDL TOKEN  marked with DELE; QUIT comes next
//	Q SESSION RESULT            result of that QUIT: ok (+OK), failed (-ERR), unknown (no
//	                            response), or none (not sent: nothing is removed)
//
//	I b-5f3a9c01-1042-8192-p user7@example.test
//	A b-5f3a9c01-1042-8192-p user7@example.test
//	S user7@example.test 3x8f0000a2 b-5f3a9c01-1042-8192-p
//	D c0ffee-12 user7@example.test 3x8f0000a2 b-5f3a9c01-1042-8192-p
//	Q c0ffee-12 ok
//
// An I without a verdict, and a D without Q, count as unknown. The token is "-" for messages of
// other origin. A nil *Journal drops all records. Safe for concurrent use. The file is not synced:
// it must survive the server, not the generator.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	buf     []byte
	err     error // the first failure to write
	prefix  string
	session int64
}

// OpenJournal opens the journal at path, and creates the file if it is missing. The caller closes
// the journal.
func OpenJournal(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("bench: open journal: %w", err)
	}
	var id [6]byte
	rand.Read(id[:])
	j := &Journal{file: f, prefix: hex.EncodeToString(id[:])}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("bench: open journal: %w", err)
	}
	if info.Size() == 0 {
		j.buf = append(j.buf, journalHeader+"\n"...)
	}
	return j, nil
}

// Flush writes the buffer and returns the first error of any write.
func (j *Journal) Flush() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.flushLocked()
}

// Close flushes and closes the file.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	err := j.Flush()
	if cerr := j.file.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("bench: close journal: %w", cerr)
	}
	return err
}

// flushLocked writes the buffer in one call, so that lines of several writers do not mix.
func (j *Journal) flushLocked() error {
	if len(j.buf) > 0 && j.err == nil {
		if _, err := j.file.Write(j.buf); err != nil {
			j.err = fmt.Errorf("bench: write journal: %w", err)
		}
	}
	j.buf = j.buf[:0]
	return j.err
}

// endLocked ends a record.
func (j *Journal) endLocked() {
	j.buf = append(j.buf, '\n')
	if len(j.buf) >= journalBuffer {
		j.flushLocked()
	}
}

// intend records that t is about to be sent to mailboxes.
func (j *Journal) intend(t token, mailboxes []string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = t.appendTo(append(j.buf, "I "...))
	for _, m := range mailboxes {
		j.buf = append(append(j.buf, ' '), m...)
	}
	j.endLocked()
}

// outcome records the outcome of t for one mailbox. text is the reason, unless the server took the
// message.
func (j *Journal) outcome(o outcome, t token, mailbox, text string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, o.record(), ' ')
	j.buf = append(append(t.appendTo(j.buf), ' '), mailbox...)
	if text != "" {
		j.buf = append(append(j.buf, ' '), oneLine(text)...)
	}
	j.endLocked()
}

// seen records that a maildrop listed a message under uidl.
func (j *Journal) seen(mailbox, uidl, token string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, "S "...)
	j.appendWordsLocked(mailbox, uidl, token)
	j.endLocked()
}

// newSession returns a name for a session that will remove messages.
func (j *Journal) newSession() string {
	if j == nil {
		return ""
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.session++
	return j.prefix + "-" + strconv.FormatInt(j.session, 10)
}

// marked records that a session has marked a message and is about to send QUIT.
func (j *Journal) marked(session, mailbox, uidl, token string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, "D "...)
	j.appendWordsLocked(session, mailbox, uidl, token)
	j.endLocked()
}

// quit notes how a session's QUIT went: "ok", "failed", "unknown" or "none".
func (j *Journal) quit(session, result string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf = append(j.buf, "Q "...)
	j.appendWordsLocked(session, result)
	j.endLocked()
}

// appendWordsLocked appends words with a blank between them.
func (j *Journal) appendWordsLocked(words ...string) {
	for i, w := range words {
		if i > 0 {
			j.buf = append(j.buf, ' ')
		}
		j.buf = append(j.buf, w...)
	}
}

// oneLine makes any text fit in a record.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
