package bench

import "sync/atomic"

// Progress counts the work of a running command, for a display. The zero value is ready. A nil
// *Progress counts nothing. Safe for concurrent use.
type Progress struct {
	total  atomic.Int64
	done   atomic.Int64
	errors atomic.Int64
	phase  atomic.Pointer[string]
}

// Done returns the number of finished pieces of work and their total, 0 if unknown.
func (p *Progress) Done() (done, total int64) { return p.done.Load(), p.total.Load() }

// Errors returns how many errors there were so far.
func (p *Progress) Errors() int64 { return p.errors.Load() }

// Phase returns the current phase, "" at first.
func (p *Progress) Phase() string {
	if s := p.phase.Load(); s != nil {
		return *s
	}
	return ""
}

// begin starts a phase of total pieces of work; 0 means not known.
func (p *Progress) begin(phase string, total int64) {
	if p != nil {
		p.done.Store(0)
		p.total.Store(total)
		p.phase.Store(&phase)
	}
}

// step counts n pieces of work done.
func (p *Progress) step(n int64) {
	if p != nil {
		p.done.Add(n)
	}
}

// fail counts n errors.
func (p *Progress) fail(n int64) {
	if p != nil {
		p.errors.Add(n)
	}
}
