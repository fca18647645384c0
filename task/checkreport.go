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
	// KindDangling: an entry without content. A repair removes the entry.
	KindDangling CheckKind = "dangling"
	// KindMismatch: an entry that does not fit its content: the size differs, or the content does
	// not name the mailbox. A repair stores the message anew, with its unique-id.
	KindMismatch CheckKind = "mismatch"
	// KindDamaged: content that cannot be read whole. A repair keeps the content.
	KindDamaged CheckKind = "damaged"
	// KindOrphan: content that no mailbox lists and no removal names. A repair removes the content.
	KindOrphan CheckKind = "orphan"
	// KindUnlisted: content that some mailbox lists, while another of its mailboxes neither lists the
	// content nor shows a trace of a removal: the entry was lost, or never written because the
	// delivery failed. Only many such findings are a problem. Only rebuilding adds the entry.
	KindUnlisted CheckKind = "unlisted"
)

// CheckKinds are all kinds.
var CheckKinds = []CheckKind{KindDangling, KindMismatch, KindDamaged, KindOrphan, KindUnlisted}

// CheckCount counts the findings of a kind.
type CheckCount struct {
	Found, Repaired int64
	// Held counts the findings beyond the limit of CheckConfig.BrakeCount, which indicate a loss: not
	// repaired, or, of KindUnlisted, a problem.
	Held int64
}

// CheckFinding is one finding.
type CheckFinding struct {
	Kind    CheckKind
	Message mail.MessageID
	Mailbox mail.MailboxID // zero: the finding is about the content
	Address string         // of the mailbox; may be empty
	Detail  string
	// Repaired: the run repaired the finding. Held: see CheckCount.
	Repaired, Held bool
}

// CheckReport is the report of a check.
type CheckReport struct {
	// Begun is the beginning of the first run that the report covers.
	Begun time.Time
	// Entries and Contents count the entries and contents read, Young the ones too young to be judged.
	Entries, Contents, Young int64
	// JudgedFrom is the moment from which a check can judge all of the Young; zero without any.
	JudgedFrom time.Time
	// Octets read.
	Octets int64
	Counts map[CheckKind]CheckCount
	// Removed counts messages that rebuilding did not list: removed, or past their retention.
	Removed int64
	// Findings are the first findings, KindUnlisted after all other kinds.
	Findings []CheckFinding
}

func (r CheckReport) clone() CheckReport {
	r.Counts = maps.Clone(r.Counts)
	r.Findings = slices.Clone(r.Findings)
	return r
}

// Problems returns the number of problems that are not repaired.
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

// add counts a finding, and names the finding if the report names fewer than limit.
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
	// A problem takes the place of a finding that may be none.
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

// checkMetrics count the work of checks, in all runs of this process.
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
