package store

import "time"

// The time line of a message id.
//
// The age of an id decides what background work may reclaim. So the times below rest on each other,
// and nothing else in the tree repeats them. All times count from the moment 0, at which the
// server that makes the id has compared its clock.
//
//	-10m..10m  MaxOthersAhead: what the clock of another trusted server says at the moment 0. A
//	           trusted clock differs from the cluster's by MaxClockSkew (5m) at most, so two
//	           trusted clocks differ by twice as much.
//	-1m..0     mail.MaxIDAhead: the id may be a minute ahead of the clock that made it.
//	5m         MaxIDAge: the last moment at which a server writes the rows of the message or
//	           acknowledges them. CheckID reads the wall clock before the write and before the
//	           reply; a later row is removed again.
//	15m        MaxEntryDelay: by now every server of the datacenter has read in the ledger that
//	           the delivery may be repeated. LocalWindow: on a single machine, where there is one
//	           clock, background work may reclaim what the message left.
//	30m        ReuseAge of DefaultWindow: the last moment at which a repeated delivery takes up
//	           the id again.
//	35m        The rows of that repetition are written, again within MaxIDAge.
//	45m        The same by the clock that is furthest behind.
//	1h         DefaultWindow, the in-flight window of a cluster: nothing about the id is in flight
//	           any more. Background work may conclude from reads of all replicas what the message
//	           left, and reclaim it. Where the window is a setting and shorter than 15 minutes, as
//	           in tests, the times before it are fractions of the window.
//	2h         FloorHold: how long a rebuilding check keeps the floor of a mailbox from rising.
//	24h        MinRemovalMemory: an engine still refuses to add an id again that was removed.
const (
	// ClockWarning is the difference of clocks above which an operator is warned.
	ClockWarning = 30 * time.Second
	// MaxClockSkew is the difference of clocks above which the clock of a server is not trusted.
	MaxClockSkew = 5 * time.Minute
	// MaxOthersAhead is the largest difference between the trusted clocks of two servers.
	MaxOthersAhead = 2 * MaxClockSkew
	// MaxIDAge is the largest age of an id under which rows are written for the first time, with a
	// window of 15 minutes or more: see MaxIDAgeIn.
	MaxIDAge = 5 * time.Minute
	// MaxEntryDelay is the largest age that an entry of the ledger may have when another server
	// reads the entry for the first time: the entry took MaxIDAge to be written, and the two clocks
	// differ by MaxOthersAhead.
	MaxEntryDelay = MaxIDAge + MaxOthersAhead
	// RenewEntryAfter is the age at which an entry of the ledger that could not be written gets a
	// new moment, because other servers would not look for the old one.
	RenewEntryAfter = MaxEntryDelay - MaxOthersAhead
	// DefaultWindow is the in-flight window of a cluster, unless a setting says otherwise.
	DefaultWindow = time.Hour
	// LocalWindow is the in-flight window of a single machine. It is also the shortest safe window.
	LocalWindow = 3 * MaxIDAge
	// FloorHold is the time for which Checks.HoldFloor keeps a floor from rising.
	FloorHold = 2 * time.Hour
	// MinRemovalMemory is the least time for which an engine remembers that a message was removed,
	// so that adding the message again has no effect.
	MinRemovalMemory = 24 * time.Hour
)

// MaxIDAgeIn returns the largest age of an id under which rows are written for the first time,
// where the in-flight window is window.
func MaxIDAgeIn(window time.Duration) time.Duration { return min(MaxIDAge, window/3) }

// ReuseAge returns the age below which a repeated delivery may take up the id of the delivery
// before, where the in-flight window is window.
func ReuseAge(window time.Duration) time.Duration { return window / 2 }
