package cassandra

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// After a return from another datacenter the local nodes do not know yet what was acknowledged
// there meanwhile. Until they do, reads ask for a quorum of each datacenter. A file in the spool
// folder keeps that over restarts:
//
//	confirm-reads    one line: for how long the local nodes were away, such as "12m30s"
//
// It ends when for a while no node of the other datacenter has had hints left for the local ones.
// Hints are kept for hintWindow only: after a longer absence it ends when the operator, who has
// repaired the local nodes, removes the file.

// confirmFile is the name of that file.
const confirmFile = "confirm-reads"

// hintWindow is for how long nodes keep hints for one that is away (max_hint_window).
const hintWindow = 3 * time.Hour

func (s *engine) confirmPath() string {
	dir := s.cfg.SpoolDir
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, confirmFile)
}

// beginConfirming is called before the return.
func (s *engine) beginConfirming(now time.Time) {
	f := &s.failover
	f.quiet, f.outage = time.Time{}, now.Sub(f.away)
	f.confirming.Store(true)
	if f.outage > hintWindow {
		s.cfg.Logger.Error("the local nodes were away for longer than hints are kept: repair them, then remove the file",
			"file", s.confirmPath(), "away", f.outage)
	}
	if err := s.keepConfirming(); err != nil {
		s.cfg.Logger.Error("a restart would forget that reads have to be confirmed with another datacenter", "cause", err)
	}
}

// keepConfirming writes the file. Until that works its absence says nothing.
func (s *engine) keepConfirming() error {
	f := &s.failover
	err := os.WriteFile(s.confirmPath(), []byte(f.outage.String()+"\n"), 0o600)
	f.kept = err == nil
	return err
}

// resumeConfirming goes on with what a server before this one began.
func (s *engine) resumeConfirming() {
	text, err := os.ReadFile(s.confirmPath())
	if err != nil {
		return // none, as usual
	}
	f := &s.failover
	f.confirming.Store(true)
	f.kept = true
	if f.outage, err = time.ParseDuration(strings.TrimSpace(string(text))); err != nil {
		f.outage = 2 * hintWindow // unreadable: be careful
	}
}

// confirm ends the confirmation of reads when it is no longer needed.
func (s *engine) confirm(ctx context.Context, now time.Time) {
	f := &s.failover
	if !f.confirming.Load() {
		return
	}
	if !f.kept {
		_ = s.keepConfirming() // that it failed was logged
	} else if _, err := os.Stat(s.confirmPath()); errors.Is(err, fs.ErrNotExist) {
		s.endConfirming("the operator says so")
		return
	}
	if f.outage > hintWindow {
		return // hints are not enough
	}
	pending, err := s.pendingHints(ctx)
	switch {
	case err != nil || pending:
		f.quiet = time.Time{}
	case f.quiet.IsZero():
		f.quiet = now
	case now.Sub(f.quiet) >= backFactor*s.cfg.FailoverAfter:
		s.endConfirming("no hints are left")
	}
}

func (s *engine) endConfirming(why string) {
	f := &s.failover
	f.confirming.Store(false)
	_ = os.Remove(s.confirmPath()) // it may be gone
	s.cfg.Logger.Info("the local datacenter knows what it missed: it is read alone again", "because", why)
	if f.other != nil {
		endSession(f.other.session)
		f.other = nil
	}
}

// errNoOther says that there is no way to the other datacenter now.
var errNoOther = errors.New("no session to the other datacenter")

// pendingHints reports whether any node of the other datacenters has hints for a local one.
func (s *engine) pendingHints(ctx context.Context) (bool, error) {
	f := &s.failover
	if f.other == nil {
		for _, datacenter := range s.cfg.Failover {
			if other, err := s.open(ctx, datacenter); err == nil {
				f.other = other
				break
			}
		}
		if f.other == nil {
			return false, errNoOther
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*probeTime)
	defer cancel()
	for _, h := range f.other.session.GetHosts() {
		rows := f.other.session.Query(selectHints).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).
			SetHostID(h.HostID()).IterContext(ctx)
		pending := false
		var datacenter string
		for rows.Scan(&datacenter) {
			pending = pending || datacenter == s.cfg.Datacenter
		}
		if err := rows.Close(); err != nil || pending {
			return pending, err
		}
	}
	return false, nil
}

// hostPort is a contact point; a port of zero is left away.
func hostPort(address string, port int) string {
	if port == 0 {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}
