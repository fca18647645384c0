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

// hexMark begins a text that was not UTF-8.
const hexMark = "\x00hex:"

// encodeText is the form of s for a column of type text: s itself if that is UTF-8, or else
// hexMark and its octets in hexadecimal digits.
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
		return "", fmt.Errorf("%w: column with %q", store.ErrCorrupt, s)
	}
	return string(b), nil
}

// optional leaves a column unset for an empty text, which needs no space and no tombstone.
func optional(s string) any {
	if s == "" {
		return gocql.UnsetValue
	}
	return encodeText(s)
}

// uuids is ids as the driver takes them.
func uuids[ID ~[16]byte](ids []ID) []gocql.UUID {
	list := make([]gocql.UUID, len(ids))
	for i, id := range ids {
		list[i] = gocql.UUID(id)
	}
	return list
}

// micros is the form of a moment in a column.
func micros(t time.Time) int64 { return t.UnixMicro() }

// moment undoes micros; nil is the zero time.
func moment(us *int64) time.Time {
	if us == nil {
		return time.Time{}
	}
	return time.UnixMicro(*us).UTC()
}

// span is the duration in a column of microseconds; nil is zero.
func span(us *int64) time.Duration {
	if us == nil {
		return 0
	}
	return time.Duration(*us) * time.Microsecond
}

// after is the timestamp that wins over everything of a message, and is not before now.
func after(now time.Time, id mail.MessageID) int64 { return max(micros(now), id.Micros()) + 1 }

// Numbers of shards. They are part of the keys and can never change: see
// docs/decisions/0011-key-layout.md for the arithmetic.
const (
	addressShards = 128
	trashShards   = 256
)

// addressShard is the shard of a local-part in the form that is stored.
func addressShard(local string) int {
	h := fnv.New32a()
	h.Write([]byte(local))
	return int(h.Sum32() % addressShards)
}

// trashShard is the shard of a mailbox's removals.
func trashShard(mailbox mail.MailboxID) int { return int(mailbox[15]) % trashShards }

// hourOf is the hour since 1970 that a moment is in.
func hourOf(us int64) int { return int(us / 3_600_000_000) }

// endOf is the first microsecond behind an hour.
func endOf(hour int) int64 { return int64(hour+1) * 3_600_000_000 }

// startOfHour is the first moment of an hour.
func startOfHour(hour int) time.Time { return time.UnixMicro(endOf(hour - 1)) }
