package cassandra

import "time"

// lastExpiry is the last moment at which nodes let rows expire. Cassandra 4.1, and 5.0 in its compatibility mode, refuse
// writes that expire after 2038-01-19 03:14:06 UTC. The day before is for nodes with a clock ahead.
var lastExpiry = time.Date(2038, 1, 18, 0, 0, 0, 0, time.UTC)

// ttlSeconds returns the TTL of a row that is written now and may go after keep, in seconds. The row expires at lastExpiry
// at the latest. Then the nodes refuse each TTL: ttlSeconds returns 0, and the row does not expire.
func ttlSeconds(now time.Time, keep time.Duration) int {
	return int(max(min(keep, lastExpiry.Sub(now)), 0) / time.Second)
}
