package task

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
)

// CheckKind is a kind of finding.
type CheckKind string

// The kinds.
const (
	// KindDangling: an entry whose content is nowhere. A repair removes it.
	KindDangling CheckKind = "dangling"
	// KindMismatch: an entry that does not fit its content: another size, or the content does
	// not name the mailbox. A repair stores the message anew, with its unique-id.
	KindMismatch CheckKind = "mismatch"
	// KindDamaged: content that cannot be read whole. It stays.
	KindDamaged CheckKind = "damaged"
	// KindOrphan: content that no mailbox lists and no removal names. A repair removes it.
	KindOrphan CheckKind = "orphan"
	// KindUnlisted: content that other mailboxes list, but one that it was for neither lists
	// nor is known to have removed: its entry was lost, or never written because the delivery
	// failed. A problem only if there are many. Only rebuilding adds the entry.
	KindUnlisted CheckKind = "unlisted"
)

// CheckKinds are all of them.
var CheckKinds = []CheckKind{KindDangling, KindMismatch, KindDamaged, KindOrphan, KindUnlisted}

// CheckCount says how often something was found.
type CheckCount struct {
	Found, Repaired int64
	// Held are those so many that something must have been lost, see CheckConfig.BrakeCount:
	// not repaired, or of KindUnlisted, which never are, a problem.
	Held int64
}

// CheckFinding is one thing found.
type CheckFinding struct {
	Kind    CheckKind
	Message mail.MessageID
	Mailbox mail.MailboxID // zero: it is about the content
	Address string         // of that mailbox; may be empty
	Detail  string
	// Repaired says that it was put right; Held is as in CheckCount.
	Repaired, Held bool
}

// CheckReport is what a check found.
type CheckReport struct {
	// Begun is when the first of the runs that it covers began.
	Begun time.Time
	// Entries and Contents were looked at; Young of them were too young to be judged.
	Entries, Contents, Young int64
	// JudgedFrom is the moment from which a check can judge all of the Young; zero if there
	// are none.
	JudgedFrom time.Time
	// Octets were read through.
	Octets int64
	Counts map[CheckKind]CheckCount
	// Removed counts messages that rebuilding did not list because they were removed, or are
	// kept no longer.
	Removed int64
	// Findings are the first ones, and not KindUnlisted before others.
	Findings []CheckFinding
}

func (r CheckReport) clone() CheckReport {
	r.Counts = maps.Clone(r.Counts)
	r.Findings = slices.Clone(r.Findings)
	return r
}

// Problems is how many findings are problems and not repaired.
func (r CheckReport) Problems() int64 {
	var n int64
	for kind, c := range r.Counts {
		if kind == KindUnlisted {
			n += c.Held
		} else {
			n += c.Found - c.Repaired
		}
	}
	return n
}

// add notes a finding, and names it if there is room among limit.
func (r *CheckReport) add(f CheckFinding, limit int) {
	if r.Counts == nil {
		r.Counts = map[CheckKind]CheckCount{}
	}
	c := r.Counts[f.Kind]
	c.Found++
	if f.Repaired {
		c.Repaired++
	}
	if f.Held {
		c.Held++
	}
	r.Counts[f.Kind] = c
	if len(r.Findings) < limit {
		r.Findings = append(r.Findings, f)
		return
	}
	if f.Kind == KindUnlisted {
		return
	}
	// Problems take the place of what may be none.
	if i := slices.IndexFunc(r.Findings, func(f CheckFinding) bool { return f.Kind == KindUnlisted }); i >= 0 {
		r.Findings = append(slices.Delete(r.Findings, i, i+1), f)
	}
}

func (r CheckReport) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.Int64("entries", r.Entries), slog.Int64("contents", r.Contents), slog.Int64("young", r.Young)}
	for _, kind := range CheckKinds {
		if c := r.Counts[kind]; c.Found > 0 {
			attrs = append(attrs, slog.Group(string(kind), "found", c.Found, "repaired", c.Repaired, "held", c.Held))
		}
	}
	return attrs
}

// checkMetrics count what checks do, in all runs of this process.
type checkMetrics struct {
	running  prometheus.Gauge
	runs     *prometheus.CounterVec // label: result, a CheckResult but running
	looked   *prometheus.CounterVec // label: what, "entries" or "contents"
	octets   prometheus.Counter
	found    *prometheus.CounterVec // label: kind, a CheckKind
	repaired *prometheus.CounterVec // label: kind
}

func newCheckMetrics(reg prometheus.Registerer) *checkMetrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "popelago_task_check_" + name + "_total", Help: help}, []string{label})
	}
	m := &checkMetrics{
		running:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "popelago_task_check_running", Help: "1 while a check runs."}),
		runs:     counter("runs", "Checks by result: done, stopped, failed.", "result"),
		looked:   counter("looked", "Entries and contents examined by checks, by what: entries, contents.", "what"),
		octets:   prometheus.NewCounter(prometheus.CounterOpts{Name: "popelago_task_check_octets_total", Help: "Octets of contents read by checks."}),
		found:    counter("findings", "Findings of checks by kind: dangling, mismatch, damaged, orphan, unlisted.", "kind"),
		repaired: counter("repaired", "Repairs of checks by kind: dangling, mismatch, damaged, orphan, unlisted.", "kind"),
	}
	if reg != nil {
		reg.MustRegister(m.running, m.runs, m.looked, m.octets, m.found, m.repaired)
	}
	return m
}
