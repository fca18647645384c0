package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// maxClasses bounds how many classes of errors a run keeps apart.
const maxClasses = 100

// replyError is a negative reply or response.
type replyError struct {
	command string // "PASS", "DATA"
	reply   string // the received line, without its line end
}

// Error names the command and the reply.
func (e *replyError) Error() string { return fmt.Sprintf("%s: %s", e.command, e.reply) }

// failures counts errors by class. The zero value is ready; safe for concurrent use.
type failures struct {
	mu     sync.Mutex
	counts map[string]int64
}

// add counts err n times.
func (f *failures) add(err error, n int64) {
	class := classify(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = make(map[string]int64)
	}
	if _, ok := f.counts[class]; !ok && len(f.counts) >= maxClasses {
		class = "(others)"
	}
	f.counts[class] += n
}

// list returns the classes, most frequent first.
func (f *failures) list() []ErrorCount {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []ErrorCount
	for class, n := range f.counts {
		out = append(out, ErrorCount{Class: class, Count: n})
	}
	slices.SortFunc(out, func(a, b ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Class, b.Class))
	})
	return out
}

// classify returns the class under which an error is counted.
func classify(err error) string {
	var reply *replyError
	var op *net.OpError
	switch {
	case errors.As(err, &reply):
		return reply.command + ": " + generalize(reply.reply)
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed by the server"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset by the server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &op):
		return op.Op + ": " + generalize(op.Err.Error())
	}
	return generalize(err.Error())
}

// generalize removes the variable parts of a reply: after the code and the enhanced code, words
// with a digit, an address or a bracketed value become "#". Parentheses around them stay, and so
// does a response code of POP3 such as [IN-USE].
func generalize(reply string) string {
	words := strings.Fields(reply)
	for i, w := range words {
		if i == 0 || i == 1 && isEnhancedCode(w) {
			continue
		}
		if strings.ContainsAny(w, "0123456789@<>") {
			bare := strings.TrimLeft(w, "(")
			words[i] = w[:len(w)-len(bare)] + "#" + bare[len(strings.TrimRight(bare, ").,;:")):]
		}
	}
	s := strings.Join(words, " ")
	if len(s) > 120 {
		s = s[:120] + "..."
	}
	return s
}

// isEnhancedCode reports whether w looks like "4.3.0" (RFC 3463).
func isEnhancedCode(w string) bool {
	return strings.Count(w, ".") == 2 && strings.Trim(w, "0123456789.") == ""
}
