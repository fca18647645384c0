package trace

import (
	"log/slog"
	"time"

	"popelago/event"
)

// Config holds the settings of a Keeper. The zero value of each field means its default, see DefaultConfig.
type Config struct {
	// Trace and Audit keep the records of the two journals.
	Trace, Audit Journal
	// Required makes Keeper.Record wait for the record in the audit.
	Required bool
	// Waiting is the largest number of events that wait for the store, about 500 octets each.
	Waiting int
	// FlushEvery is the longest time that an event waits before it is written.
	FlushEvery time.Duration
	// FlushEvents is the number of waiting events that are written without a wait.
	FlushEvents int
	// Timeout bounds one write.
	Timeout time.Duration
	// Tries is the number of writes of a record before it is dropped, Timeout apart at most.
	Tries int
	// FlushPatience bounds the wait of an answer of a Reader for the events of its own server that are not written yet.
	FlushPatience time.Duration

	// Place stamps the events.
	Place event.Place
	// Logger receives failed writes, at most one line a minute. Default: no log.
	Logger *slog.Logger
}

// Journal holds the settings of one journal.
type Journal struct {
	// Enabled: records are kept.
	Enabled bool
	// Keep is the time for which a record is kept.
	Keep time.Duration
}

const day = 24 * time.Hour

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		Trace: Journal{Keep: 30 * day}, Audit: Journal{Keep: 400 * day},
		Waiting: 50_000, FlushEvery: 5 * time.Second, FlushEvents: 5000, Timeout: 5 * time.Second, Tries: 20,
		FlushPatience: 2 * time.Second,
	}
}
