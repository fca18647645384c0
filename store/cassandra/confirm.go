package cassandra

import (
	"context"
	"os"
	"time"
)

// After a return from another datacenter the local nodes do not know yet what was acknowledged
// there meanwhile. Until they do, reads ask for a quorum of each datacenter.
//
// It ends when for a while no node of any other datacenter has had hints left for the local ones
// (handoff.go). Hints are kept for a while only: after an absence that may have been longer it
// ends when the operator, who has repaired the local nodes, removes the file (absence.go).

// resume goes on with what a server before this one kept: a says that reads have to be confirmed.
// The local nodes answer now.
func (s *engine) resume(a *absence, now time.Time) {
	f := &s.failover
	f.absence, f.kept = a, true
	if a.back.IsZero() {
		f.absence = a.returned(now)
		f.kept = s.keep(f.absence) == nil
	}
	s.setConfirming(true)
	s.cfg.Logger.Warn("statements went through another datacenter before this start: reads are confirmed with the others until the local nodes know what they missed",
		"file", s.spoolPath(absenceFile))
}

// confirm ends the confirmation of reads when it is no longer needed.
func (s *engine) confirm(ctx context.Context, now time.Time) {
	if s.failover.absence == nil || s.obey() {
		return
	}
	a, ok := s.failover.asker.next(ctx, s, now)
	if ok && a.asked.After(s.failover.absence.back) {
		s.judgeHandoff(now, a)
	}
}

// obey ends the confirmation if the operator has removed the file. A file that could not be
// written was not removed.
func (s *engine) obey() bool {
	f := &s.failover
	if !f.kept {
		f.kept = s.keep(f.absence) == nil // that it failed was said
	} else if !s.isKept() {
		s.endConfirming("the operator says so")
		return true
	}
	return false
}

// judgeHandoff looks at what the nodes of the other datacenters have answered.
func (s *engine) judgeHandoff(now time.Time, a told) {
	f := &s.failover
	away := f.absence.length(now)
	switch {
	case a.err != nil:
		f.quiet = time.Time{}
		s.complain("reads go on being confirmed with the other datacenters: a node cannot be asked whether it has hints for the local ones", "cause", a.err)
	case away >= a.window:
		f.quiet = time.Time{}
		s.complain("the local nodes were away for longer than hints are kept: repair them, then remove the file",
			"file", s.spoolPath(absenceFile), "away", awayText(away), "kept", a.window)
	case a.pending:
		f.quiet = time.Time{}
	case f.quiet.IsZero():
		f.quiet = now
	case a.asked.Sub(f.quiet) >= max(backFactor*s.cfg.FailoverAfter, a.hidden):
		s.endConfirming("no hints are left")
	}
}

// awayText is the length of an absence for the log.
func awayText(away time.Duration) string {
	if away == unknownLength {
		return "not known"
	}
	return away.Round(time.Second).String()
}

func (s *engine) endConfirming(why string) {
	f := &s.failover
	f.absence, f.kept = nil, false
	s.setConfirming(false)
	_ = os.Remove(s.spoolPath(absenceFile)) // it may be gone
	s.cfg.Logger.Info("the local datacenter knows what it missed: it is read alone again", "because", why)
	f.asker.close()
	if f.other != nil {
		endSession(f.other.session)
		f.other = nil
	}
}
