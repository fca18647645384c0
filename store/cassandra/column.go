package cassandra

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// hexMark begins the stored form of a text that is not UTF-8.
const hexMark = "\x00hex:"

// encodeText returns the form of s for a column of type text: s itself if s is UTF-8, and otherwise
// hexMark and the octets of s in hexadecimal digits.
func encodeText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, hexMark) {
		return s
	}
	return hexMark + hex.EncodeToString([]byte(s))
}

// decodeText undoes encodeText.
func decodeText(s string) (string, error) {
	digits, coded := strings.CutPrefix(s, hexMark)
	if !coded {
		return s, nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return "", corruptColumn(s)
	}
	return string(b), nil
}

func corruptColumn(s string) error { return fmt.Errorf("%w: column with %q", store.ErrCorrupt, s) }

// optional leaves a column unset for an empty text. An unset column needs neither space nor tombstone.
func optional(s string) any {
	if s == "" {
		return gocql.UnsetValue
	}
	return encodeText(s)
}

// uuids converts ids for the driver.
func uuids[ID ~[16]byte](ids []ID) []gocql.UUID {
	list := make([]gocql.UUID, len(ids))
	for i, id := range ids {
		list[i] = gocql.UUID(id)
	}
	return list
}

// micros returns a moment for a column.
func micros(t time.Time) int64 { return t.UnixMicro() }

// optionalMoment leaves a column unset for the zero time.
func optionalMoment(t time.Time) any {
	if t.IsZero() {
		return gocql.UnsetValue
	}
	return micros(t)
}

// moment undoes micros; nil yields the zero time.
func moment(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

// span returns the duration in a column of microseconds; nil yields zero.
func span(us *int64) mail.Retention {
	if us == nil {
		return 0
	}
	return mail.RetentionMicroseconds(*us)
}

// after returns a timestamp that wins over all writes of a message, and is not before now.
func after(now time.Time, id mail.MessageID) int64 { return max(micros(now), id.Micros()) + 1 }

// Counts of shards. The keys depend on them, so they can never change: see
// docs/decisions/0011-key-layout.md for the arithmetic.
const (
	addressShards = 128
	journalShards = 256 // of one day
)

// trashShards is variable for tests alone: a search of the trash has two statements for each shard.
var trashShards = 256

// addressShard returns the shard of a local-part in its stored form.
func addressShard(local string) int {
	h := fnv.New32a()
	h.Write([]byte(local))
	return int(h.Sum32() % addressShards)
}

// trashShard returns the shard of the removals of a mailbox.
func trashShard(mailbox mail.MailboxID) int { return int(mailbox[15]) % trashShards }

// hourOf returns the count of hours since 1970 at a moment.
func hourOf(us int64) int { return int(us / 3_600_000_000) }

// endOf returns the first microsecond after an hour.
func endOf(hour int) int64 { return int64(hour+1) * 3_600_000_000 }

// startOfHour returns the first moment of an hour.
func startOfHour(hour int) time.Time { return time.UnixMicro(endOf(hour - 1)) }
