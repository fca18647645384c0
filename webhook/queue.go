package webhook

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// parts is the number of parts of a lane. Keys depend on it.
const parts = 4

// partOf returns the part of a mailbox.
func partOf(mailbox mail.MailboxID) int {
	h := fnv.New32a()
	h.Write(mailbox[:])
	return int(h.Sum32() % parts)
}

// laneName returns the name of a lane that begins at a moment: the microseconds and a random number, in hex.
func laneName(born time.Time, number uint64) string {
	return fmt.Sprintf("%016x-%016x", born.UnixMicro(), number)
}

// bornOf returns the beginning of a lane; zero for another name.
func bornOf(lane string) time.Time {
	text, _, _ := strings.Cut(lane, "-")
	micros, err := strconv.ParseInt(text, 16, 64)
	if err != nil || micros <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}

// partName is the name of a mark.
func partName(lane string, part int) string { return fmt.Sprintf("%s %d", lane, part) }

// parsePart undoes partName.
func parsePart(name string) (lane string, part int, ok bool) {
	lane, text, _ := strings.Cut(name, " ")
	part, err := strconv.Atoi(text)
	return lane, part, err == nil && part >= 0 && part < parts && !bornOf(lane).IsZero()
}

// hourOf returns the hour of a moment, counted from 1970.
func hourOf(at time.Time) int { return int(at.UnixMicro() / time.Hour.Microseconds()) }

// beginOf returns the first moment of an hour.
func beginOf(hour int) time.Time { return time.UnixMicro(int64(hour) * time.Hour.Microseconds()) }

// rowKey returns the key of the rows of an hour.
func rowKey(lane string, part, hour int) string { return fmt.Sprintf("%s %d %d", lane, part, hour) }

// Lists of marks, see the package comment.
func headList(datacenter string) string { return "head " + datacenter }
func epochList(datacenter, hook string) string {
	return "epoch " + datacenter + " " + hook
}
func sentList(datacenter, hook string, e epoch) string {
	return fmt.Sprintf("sent %s %s %d", datacenter, hook, e.number.UnixMicro())
}

// encode returns the content of a row: the microseconds of the event, then the event.
func encode(e event.Event) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(e.Time.UnixMicro())), event.Encode(e)...)
}

// decode undoes encode. Errors: store.ErrCorrupt.
func decode(r store.Record) (event.Event, error) {
	if len(r.Data) < 8 {
		return event.Event{}, fmt.Errorf("webhook: %w: a row of %d octets", store.ErrCorrupt, len(r.Data))
	}
	e, err := event.Decode(time.UnixMicro(int64(binary.BigEndian.Uint64(r.Data[:8]))), r.Data[8:])
	if err != nil {
		return e, fmt.Errorf("webhook: %w: %w", store.ErrCorrupt, err)
	}
	return e, nil
}

// epoch numbers the time between two replays of a webhook: a later epoch has a later number.
type epoch struct{ number time.Time }

// firstEpoch returns the epoch of a webhook that begins at a moment. Of two servers that begin at once, the
// earlier one wins: it has the later number. Numbers of replays are later.
func firstEpoch(at time.Time) epoch { return epoch{time.UnixMicro(1e15 - at.UnixMilli())} }

// replayEpoch returns the epoch after another one, at a moment.
func (e epoch) replayEpoch(at time.Time) epoch {
	at = at.Truncate(time.Microsecond)
	if !at.After(e.number) {
		at = e.number.Add(time.Microsecond)
	}
	return epoch{at}
}

const epochName = "epoch"

// begin makes an epoch count, in which the lanes have some positions. A lane without a position, of a later
// process, is sent from its first row.
func (e epoch) begin(ctx context.Context, j store.Journal, cfg Config, datacenter, hook string, positions []store.Mark) error {
	if err := j.AdvanceMarks(ctx, sentList(datacenter, hook, e), positions, keepMarks(cfg.Keep)); err != nil {
		return err
	}
	return e.keep(ctx, j, datacenter, hook)
}

// keep writes the mark that makes an epoch count. The mark of a later epoch stays.
func (e epoch) keep(ctx context.Context, j store.Journal, datacenter, hook string) error {
	mark := store.Mark{Name: epochName, Position: store.Position{At: e.number}}
	return j.AdvanceMarks(ctx, epochList(datacenter, hook), []store.Mark{mark}, store.MaxNoteAge)
}

// readEpoch returns the epoch of a webhook; false: none has begun.
func readEpoch(ctx context.Context, j store.Journal, datacenter, hook string) (epoch, bool, error) {
	marks, err := j.Marks(ctx, epochList(datacenter, hook))
	if err != nil {
		return epoch{}, false, err
	}
	for _, m := range marks {
		if m.Name == epochName {
			return epoch{m.At}, true, nil
		}
	}
	return epoch{}, false, nil
}

// marksOf returns the positions of a list by lane, for each part.
func marksOf(ctx context.Context, j store.Journal, list string) (of [parts]map[string]store.Position, err error) {
	marks, err := j.Marks(ctx, list)
	if err != nil {
		return of, err
	}
	for i := range of {
		of[i] = map[string]store.Position{}
	}
	for _, m := range marks {
		if lane, part, ok := parsePart(m.Name); ok {
			of[part][lane] = m.Position
		}
	}
	return of, nil
}

// beginOfLane returns the position before the first row of a lane.
func beginOfLane(lane string) store.Position {
	return store.Position{At: bornOf(lane).Add(-time.Microsecond)}
}

// ErrDatacenter: a replay names no datacenter of the store.
var ErrDatacenter = errors.New("webhook: no such datacenter")

// ErrNoWebhook: no webhook has the name.
var ErrNoWebhook = errors.New("webhook: no such webhook")
