package simulation

import "time"

// Pace holds the lengths of the pauses of servers: a long life needs fewer heartbeats than an hour does.
type Pace struct {
	Window, Undelete            time.Duration
	Heartbeat, ClockEvery, Poll time.Duration
	Failover                    time.Duration
	Floor, Reap, Orphans        time.Duration
	Purge, Expire               time.Duration
	FloorEvery, BulkAfter       int
	Repair                      time.Duration // between two repairs of all nodes
}

// apart returns the pace of a server, from 0: each pause is some nanoseconds longer, so that no two pauses end at the
// same moment. Nobody decides the order of timers that end at the same moment.
func (p Pace) apart(server int) Pace {
	more := time.Duration(1 + 1000*server)
	for _, pause := range []*time.Duration{
		&p.Heartbeat, &p.ClockEvery, &p.Poll, &p.Failover, &p.Floor, &p.Reap, &p.Orphans, &p.Purge, &p.Expire,
	} {
		more += 61
		*pause += more
	}
	return p
}

// Hours is the pace of the defaults, for a life of hours.
func Hours() Pace {
	return Pace{
		Window: time.Hour, Undelete: 2 * time.Hour, Heartbeat: 20 * time.Second, ClockEvery: 5 * time.Second, Poll: 2 * time.Second, Failover: time.Minute,
		Floor: 10 * time.Minute, Reap: 10 * time.Minute, Orphans: 6 * time.Hour, Purge: time.Hour, Expire: time.Hour,
		FloorEvery: 20, BulkAfter: 60, Repair: 24 * time.Hour,
	}
}

// Months is a slower pace, for a life of months.
func Months() Pace {
	return Pace{
		Window: time.Hour, Undelete: 24 * time.Hour, Heartbeat: 10 * time.Minute, ClockEvery: time.Hour, Poll: 10 * time.Minute, Failover: time.Minute,
		Floor: 6 * time.Hour, Reap: 6 * time.Hour, Orphans: 7 * 24 * time.Hour, Purge: 24 * time.Hour, Expire: 24 * time.Hour,
		FloorEvery: 50, BulkAfter: 200, Repair: 5 * 24 * time.Hour,
	}
}
