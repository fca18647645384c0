package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"popelago/task"
)

// Any job can be left to requests alone.
func TestTasksOff(t *testing.T) {
	c, err := Load("", []string{
		"POPELAGO_POP3_LISTEN=:1110", "POPELAGO_TASKS_FLOOR_EVERY=0s", "POPELAGO_TASKS_REAP_EVERY=0s",
		"POPELAGO_TASKS_ORPHANS_EVERY=0s", "POPELAGO_TASKS_PURGE_EVERY=0s", "POPELAGO_TASKS_EXPIRE_EVERY=0s", "POPELAGO_TASKS_USAGE_EVERY=0s", "POPELAGO_TASKS_ALARMS_EVERY=0s",
		"POPELAGO_TASKS_LATE_MAIL=0s",
		"POPELAGO_TASKS_UNDELETE_WINDOW=168h",
		"POPELAGO_TASKS_ORPHANS_RATE=500", "POPELAGO_TASKS_CHECK_RATE=70",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	want := Tasks{Sweep: task.SweepConfig{Undelete: 7 * 24 * time.Hour}, Check: task.DefaultCheckConfig(), Alarm: task.DefaultAlarmConfig(), History: task.DefaultHistory}
	want.Alarm.Every = 0
	want.Check.Rate = 70
	if diff := cmp.Diff(want, c.Tasks); diff != "" || c.Cassandra.ScanRate != 500 {
		t.Errorf("orphans rate %d; (-want +got)\n%s", c.Cassandra.ScanRate, diff)
	}
}
