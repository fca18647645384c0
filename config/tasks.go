package config

import "time"

// Tasks is the section [tasks]. Of the pauses zero means: only when asked for.
type Tasks struct {
	FloorEvery     time.Duration
	ReapEvery      time.Duration
	OrphansEvery   time.Duration
	OrphansRate    int // pieces of content in a second
	PurgeEvery     time.Duration
	ExpireEvery    time.Duration
	UndeleteWindow time.Duration
	LateMail       time.Duration
	CheckRate      int // entries and contents in a second
}

func defaultTasks() Tasks {
	return Tasks{
		FloorEvery:   time.Minute,
		ReapEvery:    time.Minute,
		OrphansEvery: day,
		OrphansRate:  2000,
		PurgeEvery:   10 * time.Minute,
		ExpireEvery:  time.Hour,
		LateMail:     7 * day,
		CheckRate:    2000,
	}
}

// tasksSettings is the part of the table about background work.
func tasksSettings(c *Tasks) []setting {
	every := func(p *time.Duration) value { return duration(p, 0, 365*day) }
	return []setting{
		{"tasks.floor_every", every(&c.FloorEvery),
			"The pause between two runs of floor, which keeps it cheap to list mailboxes that much was removed from. 0s: only when asked for, here and below."},
		{"tasks.reap_every", every(&c.ReapEvery),
			"The pause between two runs of reap, which gives back the space of removed messages."},
		{"tasks.undelete_window", duration(&c.UndeleteWindow, 0, 365*day),
			"How long the content of removed messages is kept, so that they could be brought back. 0s: no longer than safety asks for, which is minutes, or cassandra.window."},
		{"tasks.orphans_every", every(&c.OrphansEvery),
			"How often orphans begins to look for content that never got into a mailbox (a server that crashed between two writes). With store.engine = \"cassandra\" that reads the whole table of contents, without the contents."},
		{"tasks.orphans_rate", integer(&c.OrphansRate, 1, maxCount),
			"How many pieces of content (up to 256 KiB each) it looks at in a second, with store.engine = \"cassandra\"."},
		{"tasks.purge_every", every(&c.PurgeEvery),
			"The pause between two runs of purge, which removes what is left in the mailboxes of removed accounts."},
		{"tasks.late_mail", duration(&c.LateMail, 0, 365*day),
			"How long purge keeps mail that was accepted for an account after that had ended, by a server that had not heard of it yet. It is in no maildrop, but the log tells the mailbox. If tasks.undelete_window is longer, that counts."},
		{"tasks.expire_every", every(&c.ExpireEvery),
			"The pause between two runs of expire, which removes messages that are older than the retention of their account or domain. Sessions do not list those any more, whether or not it has run. Each run also renews the least retention of all accounts, which POP3 tells before login (EXPIRE): that rises with it."},
		{"tasks.check_rate", integer(&c.CheckRate, 1, maxCount),
			"How many entries of mailboxes, and contents, \"popelago check\" looks at in a second."},
	}
}
