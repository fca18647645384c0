package config

import (
	"time"

	"popelago/task"
)

// Tasks is the section [tasks]. A pause of zero: the job runs only when asked for.
type Tasks struct {
	Sweep  task.SweepConfig
	Purge  task.PurgeConfig
	Expire task.ExpireConfig
	Usage  task.UsageConfig
	Alarm  task.AlarmConfig
	Check  task.CheckConfig
	// History is the number of runs of each job that the server remembers; off: none.
	History int
}

func defaultTasks() Tasks {
	return Tasks{
		Sweep:  task.SweepConfig{Floor: time.Minute, Reap: time.Minute, Orphans: day},
		Purge:  task.PurgeConfig{Every: 10 * time.Minute, Late: 7 * day},
		Expire: task.ExpireConfig{Every: time.Hour},
		Usage:  task.UsageConfig{Every: 15 * time.Minute},
		Alarm:  task.DefaultAlarmConfig(),
		Check:  task.DefaultCheckConfig(),

		History: task.DefaultHistory,
	}
}

// tasksSettings returns the part of the table about background work.
func tasksSettings(c *Config) []setting {
	every := func(p *time.Duration) value { return duration(p, 0, 365*day) }
	return []setting{
		{"tasks.floor_every", every(&c.Tasks.Sweep.Floor),
			"Pause between two runs of floor, which keeps mailboxes with many removals cheap to list. 0s, here and below: only on request."},
		{"tasks.reap_every", every(&c.Tasks.Sweep.Reap),
			"Pause between two runs of reap, which reclaims the space of removed messages."},
		{"tasks.undelete_window", duration(&c.Tasks.Sweep.Undelete, 0, 365*day),
			"Time that the content of removed messages is kept for recovery. 0s: only as long as safety needs (15 minutes, or cassandra.window)."},
		{"tasks.orphans_every", every(&c.Tasks.Sweep.Orphans),
			"Pause between two beginnings of orphans, which searches for content that no mailbox lists (after a crash between two writes). With store.engine = \"cassandra\" a search reads the whole table of contents, without the contents."},
		{"tasks.orphans_rate", integer(&c.Cassandra.ScanRate, 1, maxCount),
			"Pieces of content (up to 256 KiB each) that orphans reads in a second, with store.engine = \"cassandra\"."},
		{"tasks.purge_every", every(&c.Tasks.Purge.Every),
			"Pause between two runs of purge, which removes the messages of removed accounts."},
		{"tasks.late_mail", duration(&c.Tasks.Purge.Late, 0, 365*day),
			"Time that purge keeps late mail: mail accepted for an account that had ended, by a server that did not know yet. Late mail is in no maildrop; the log names its mailbox. A longer tasks.undelete_window counts instead."},
		{"tasks.expire_every", every(&c.Tasks.Expire.Every),
			"Pause between two runs of expire, which removes messages older than the retention of their account or domain. Sessions do not list such messages, also before a run. Each run also renews the least retention of all accounts, which POP3 announces before login (EXPIRE): it rises only with a run."},
		{"tasks.usage_every", every(&c.Tasks.Usage.Every),
			"Pause between two runs of usage, which measures the domains with a domain_quota. A run reads the list of every maildrop of such a domain, on one server of the cluster."},
		{"tasks.alarms_every", every(&c.Tasks.Alarm.Every),
			"Pause between two runs of alarms, which finds maildrops with mail that nobody fetches, and maildrops that grow out of character. \"popelago alarm list\" names them."},
		{"tasks.alarm_unfetched", duration(&c.Tasks.Alarm.Unfetched, 0, 10*365*day),
			"Age of mail from which alarms reports a maildrop that nobody has logged in to for as long. It needs pop3.note_logins_every. 0s: never."},
		{"tasks.alarm_growing", integer(&c.Tasks.Alarm.Growing, 0, maxCount),
			"Messages of one day, still in the maildrop, from which alarms compares the day with the week before. 0: never."},
		{"tasks.alarm_growing_factor", integer(&c.Tasks.Alarm.Factor, 2, 1000),
			"A maildrop grows out of character if the day brought so many times the messages of an average day of the week before."},
		{"tasks.history", integer(&c.Tasks.History, 0, 1000).zeroIsOff(),
			"Runs of each job that \"popelago task history\" lists. The file task-history.json in data_dir keeps the runs for the next start. Runs on schedule that had nothing to do are left out. 0: none."},
		{"tasks.check_rate", integer(&c.Tasks.Check.Rate, 1, maxCount),
			"Entries of mailboxes, and contents, that \"popelago check\" examines in a second."},
	}
}
