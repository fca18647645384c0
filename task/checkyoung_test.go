package task_test

import (
	"testing"
	"time"
)

// A report names the moment from which the young data can be judged, and a check at the moment judges
// the data.
func TestCheckSaysWhenItCanJudge(t *testing.T) {
	r := newCheckRig(t)
	if report := r.check("nothing there", plain); !report.JudgedFrom.IsZero() {
		t.Errorf("with nothing there all can be judged from %v", report.JudgedFrom)
	}
	r.list(r.a, entry(r.ids.Next(), r.a))
	youngest := r.put(r.a)
	r.reopen()
	r.cfg.Window = 3 * time.Hour
	report := r.check("too young", plain)
	if want := youngest.Time().Add(r.cfg.Window); report.Young != 2 || !report.JudgedFrom.Equal(want) {
		t.Errorf("%d too young until %v, want 2 until %v", report.Young, report.JudgedFrom, want)
	}
	r.pass(report.JudgedFrom.Sub(r.now()))
	r.check("at that moment", plain, "dangling 1/0")
	r.pass(time.Microsecond)
	if report := r.check("later", plain, "dangling 1/0 orphan 1/0"); report.Young != 0 || !report.JudgedFrom.IsZero() {
		t.Errorf("later %d are too young, until %v", report.Young, report.JudgedFrom)
	}
}
