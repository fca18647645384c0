package cassandra

import (
	"slices"
	"time"

	"popelago/mail"
)

// ordinary is the segment of ordinary mailboxes, and of the messages that a bulk mailbox received
// before it became bulk. All other segments are days.
const ordinary = 0

// microsOfDay is the length of a day in microseconds.
const microsOfDay = 24 * 3_600_000_000

// dayOf returns the count of days since 1970 (UTC) at a moment. A bulk mailbox has a segment for the
// messages of each day.
func dayOf(us int64) int {
	if us < 0 {
		us -= microsOfDay - 1
	}
	return int(us / microsOfDay)
}

// startOf returns the first moment of a day.
func startOf(day int) time.Time { return time.UnixMicro(int64(day) * microsOfDay) }

// dayOfID returns the day of the time inside an id.
func dayOfID(id mail.MessageID) int { return dayOf(id.Micros()) }

// segmentsOf lists the possible segments of messages: the ordinary segment, and their days.
func segmentsOf(ids []mail.MessageID) []int {
	list := []int{ordinary}
	for _, id := range ids {
		if day := dayOfID(id); day > ordinary && !slices.Contains(list, day) {
			list = append(list, day)
		}
	}
	return list
}

// marker returns the highest possible id. A row with this id in the ordinary segment makes a mailbox
// bulk:
//
//	size        none: the row is not a message
//	bulk_since  static: the microsecond from which messages may be in the segments of days
//	timestamp   the time of the marker less bulk_since
//
// Every row of the segment carries the static column, so every page of a list shows it. The marker is
// a row of every slice without an end, so also a page without messages shows it. No floor reaches the
// marker. Of several markers the one with the earliest bulk_since wins, because its timestamp is the
// highest. Only low timestamps keep compaction from dropping tombstones around a row; the marker's
// timestamp is far in the future.
func marker() mail.MessageID {
	key := [16]byte{0: 0x0F, 8: 0x3F}
	for i := range key {
		if i != 0 && i != 8 {
			key[i] = 0xFF
		}
	}
	return mail.MessageIDFromSortKey(key)
}

// earliest returns the earlier of two moments; zero is none.
func earliest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
