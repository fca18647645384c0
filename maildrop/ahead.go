package maildrop

import (
	"context"
	"errors"
	"slices"

	"popelago/store"
)

// aheadOctets limits the octets of the messages that one session reads ahead. A larger message is not read ahead:
// its transfer takes longer than the wait for the store.
const aheadOctets = 256 << 10

// ahead is a message that is read before the session reaches the command that asks for the message.
type ahead struct {
	n      int
	octets int64
	cancel context.CancelFunc

	done   chan struct{} // closed as soon as reader or err is set
	reader *Reader
	err    error
}

// errPanicked: a read panicked. Read reads the message again, so that a second panic ends the session that asked for the
// message, and not the server.
var errPanicked = errors.New("maildrop: a read ahead panicked")

// ReadAhead begins to read the messages that Read will ask for soon, so that a client that sends many commands at
// once waits for the store once instead of once for each command. now is the message that Read asks for next, and next
// are the messages after it, in order. ReadAhead gives up the reads that it began for other messages.
//
// ReadAhead begins at most Options.ReadAhead reads, of messages that have 256 KiB together at most.
func (m *Maildrop) ReadAhead(ctx context.Context, now int, next []int) {
	next = next[:min(len(next), max(m.options.ReadAhead, 0))]
	m.ahead = slices.DeleteFunc(m.ahead, func(a *ahead) bool {
		wanted := a.n == now || slices.Contains(next, a.n)
		if !wanted {
			a.giveUp()
		}
		return !wanted
	})
	octets := int64(0)
	for _, a := range m.ahead {
		octets += a.octets
	}
	for _, n := range next {
		if n == now || m.check(n) != nil || m.findAhead(n) >= 0 {
			continue
		}
		row := m.row(n)
		if octets += row.Size; octets > aheadOctets {
			return
		}
		ctx, cancel := context.WithCancel(store.Early(ctx))
		a := &ahead{n: n, octets: row.Size, cancel: cancel, done: make(chan struct{})}
		m.ahead = append(m.ahead, a)
		go func() {
			defer close(a.done)
			a.err = errPanicked
			defer func() {
				if p := recover(); p != nil && m.options.Panicked != nil {
					m.options.Panicked(p)
				}
			}()
			a.reader, a.err = m.open(ctx, row)
		}()
	}
}

func (m *Maildrop) findAhead(n int) int {
	return slices.IndexFunc(m.ahead, func(a *ahead) bool { return a.n == n })
}

// takeAhead returns the Reader of message n if message n was read ahead without an error. After an error Read tries again: the
// store may have recovered meanwhile.
func (m *Maildrop) takeAhead(n int) *Reader {
	i := m.findAhead(n)
	if i < 0 {
		return nil
	}
	a := m.ahead[i]
	m.ahead = slices.Delete(m.ahead, i, i+1)
	<-a.done
	if a.err != nil {
		a.cancel()
		return nil
	}
	a.reader.release = a.cancel
	return a.reader
}

// giveUpAhead gives up all that ReadAhead began.
func (m *Maildrop) giveUpAhead() {
	for _, a := range m.ahead {
		a.giveUp()
	}
	m.ahead = nil
}

// giveUp closes the content. It waits for the end of the read, which ends soon after its context.
func (a *ahead) giveUp() {
	a.cancel()
	<-a.done
	if a.err == nil {
		a.reader.Close()
	}
}
