package config

import (
	"time"

	"popelago/store"
)

// traceSettings returns the part of the table about the records of events.
func traceSettings(c *Config) []setting {
	keep := func(p *time.Duration) value { return duration(p, day, store.MaxNoteAge) }
	return []setting{
		{"trace.enabled", boolean(&c.Trace.Trace.Enabled),
			"Keeps records for \"popelago trace\": the acceptance, retrieval, removal and expiry of each message, and logins. Off by default, because the records are personal data: who writes to whom, and the addresses of clients."},
		{"trace.keep", keep(&c.Trace.Trace.Keep),
			"Time that a record is kept. With store.engine = \"cassandra\" a change counts for new records."},
		{"trace.max_waiting", integer(&c.Trace.Waiting, 1000, 10_000_000),
			"Most events that wait to be recorded, for trace and audit together, about 500 octets each. Further events are dropped and counted (popelago_trace_dropped_total): records never delay mail."},
		{"trace.flush_every", duration(&c.Trace.FlushEvery, 10*time.Millisecond, time.Minute),
			"Longest time that an event waits before it is recorded. A crash loses the events that wait."},

		{"audit.enabled", boolean(&c.Trace.Audit.Enabled),
			"Keeps records for \"popelago audit\": logins, retrievals, removals, and the actions of administrators, with the state before and after a change. Off by default, as trace.enabled."},
		{"audit.keep", keep(&c.Trace.Audit.Keep),
			"Time that a record is kept, as trace.keep."},
		{"audit.required", boolean(&c.Trace.Required),
			"No audit, no answer: a login, a RETR, and the look of an administrator at a message wait until the audit has the record. Without the record they are refused, with [SYS/TEMP] or 503. Each costs a write more, and maildrops stay closed while the store takes no writes. Needs audit.enabled."},
	}
}
