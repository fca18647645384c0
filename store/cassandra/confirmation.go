package cassandra

import (
	"context"
	"strings"
	"time"
)

// confirmation confirms reads after a failback. The local nodes do not yet have the rows that another
// datacenter acknowledged during the absence. Until they have, reads ask for a quorum of each
// datacenter.
//
// Confirmation ends once no node of another datacenter has had hints for the local nodes for a while
// (handoff.go). Nodes keep hints for a limited time: after a longer absence confirmation ends when the
// operator has repaired the local nodes and removes the absence file. The same holds if a node of another datacenter
// was started or replaced since the beginning of the absence: some hints may be lost.
//
// Used by the loop of failover, and before the loop starts.
type confirmation struct {
	cfg        Config
	link       *link
	complaints *complaints
	file       absenceFile
	asker      asker

	absence *absence  // nil: reads of the local nodes are trusted
	saved   bool      // the file holds absence
	quiet   time.Time // since when there are no hints; zero: there are some, or unknown
}

func newConfirmation(l *link, c *complaints) *confirmation {
	return &confirmation{cfg: l.cfg, link: l, complaints: c, file: newAbsenceFile(l.cfg), asker: asker{cfg: l.cfg, open: l.open}}
}

// begin records an absence before a failover, unless the absence is recorded already. left is when a local
// node answered last.
func (c *confirmation) begin(left time.Time) error {
	if c.saved && c.absence.back.IsZero() {
		return nil
	}
	longer := c.absence.again(left, c.link.peers.starts())
	if err := c.file.save(longer); err != nil {
		return err
	}
	c.absence, c.saved, c.quiet = longer, true, time.Time{}
	return nil
}

// restoreFile writes the file again if somebody removed the file while the local nodes are away.
func (c *confirmation) restoreFile() {
	if !c.file.exists() {
		_ = c.file.save(c.absence)
	}
}

// localReturned records the end of the absence.
func (c *confirmation) localReturned(now time.Time) {
	c.absence, c.quiet = c.absence.returned(now), time.Time{}
	err := c.file.save(c.absence)
	if c.saved = err == nil; !c.saved {
		c.complaints.warn("a restart would treat the local nodes as away until the restart", "cause", err)
	}
}

// resume continues the confirmation that an earlier process recorded as a. The local nodes answer
// now.
func (c *confirmation) resume(a *absence, now time.Time) {
	c.absence, c.saved = a, true
	if a.back.IsZero() {
		c.absence = a.returned(now)
		c.saved = c.file.save(c.absence) == nil
	}
	c.link.setConfirming(true)
	c.cfg.Logger.Warn("statements went through another datacenter before this start: reads are confirmed with the other datacenters until the local nodes have received the writes they missed",
		"file", c.file.path)
}

// step reports whether it ended the confirmation. The nodes of the other datacenters are asked in
// between steps.
func (c *confirmation) step(ctx context.Context, local *route, now time.Time) (ended bool) {
	if c.absence == nil {
		return false
	}
	if c.obey() {
		return true
	}
	a, ok := c.asker.next(ctx, local, now)
	return ok && a.asked.After(c.absence.back) && c.judge(now, a)
}

// obey ends the confirmation if the operator has removed the file. A file that could not be written
// does not count as removed.
func (c *confirmation) obey() (ended bool) {
	if !c.saved {
		c.saved = c.file.save(c.absence) == nil // the failure was logged before
	} else if !c.file.exists() {
		c.end("the operator removed the file")
		return true
	}
	return false
}

// judge decides by an answer of the other datacenters whether the confirmation ends.
func (c *confirmation) judge(now time.Time, a handoffAnswer) (ended bool) {
	away := c.absence.length(now)
	switch {
	case a.err != nil:
		c.quiet = time.Time{}
		c.complaints.warn("reads are still confirmed with the other datacenters: a node cannot be asked for hints for the local nodes", "cause", a.err)
	case away >= a.window:
		c.quiet = time.Time{}
		c.complaints.warn("the local nodes were away for longer than hints are kept: repair them, then remove the file",
			"file", c.file.path, "away", awayText(away), "kept", a.window)
	case len(c.absence.started.changed(a.started)) > 0:
		c.quiet = time.Time{}
		c.complaints.warn("nodes of other datacenters were started while the local nodes lacked writes, and may have lost hints: repair the local nodes, then remove the file",
			"file", c.file.path, "nodes", strings.Join(c.absence.started.changed(a.started), ", "))
	case a.pending:
		c.quiet = time.Time{}
	case c.quiet.IsZero():
		c.quiet = now
	case a.asked.Sub(c.quiet) >= max(backFactor*c.cfg.FailoverAfter, a.hidden):
		c.end("no hints are left")
		return true
	}
	return false
}

// awayText returns the length of an absence for the log.
func awayText(away time.Duration) string {
	if away == unknownLength {
		return "unknown"
	}
	return away.Round(time.Second).String()
}

func (c *confirmation) end(why string) {
	c.absence, c.saved = nil, false
	c.link.setConfirming(false)
	c.file.remove()
	c.cfg.Logger.Info("the local datacenter has received the writes it missed: it is read alone again", "because", why)
	c.asker.close()
}
