package cassandra

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Many quiet mailboxes displace neither the count of a busy mailbox nor its stuck number.
func TestRemovalCountsForgetsTheQuietOnes(t *testing.T) {
	var d removalCounts
	box := func(i int) (m mail.MailboxID) {
		m[0], m[1], m[2] = byte(i>>16), byte(i>>8), byte(i)
		return m
	}
	busy := mail.MailboxID{15: 1}
	removed, quiet := 0, 0
	for range 20 {
		d.note(busy, 500)
		removed += 500
		for range 40_000 {
			d.note(box(quiet%400_000), 1)
			quiet++
		}
	}
	if len(d.counts) > maxRemovalCounts {
		t.Errorf("%d mailboxes are remembered, want at most %d", len(d.counts), maxRemovalCounts)
	}
	if list := d.take(2000); len(list) != 1 || list[0] != busy {
		t.Errorf("%d mailboxes are due after %d removals from one, want the busy mailbox alone", len(list), removed)
	}
	if n := d.stuck(busy); n != removed {
		t.Errorf("%d of %d removals are counted", n, removed)
	}
	// A mailbox whose floor could not rise keeps its number, though nothing is due.
	for range 200_000 {
		d.note(box(quiet%400_000), 1)
		quiet++
	}
	if n := d.stuck(busy); n != removed {
		t.Errorf("%d of %d removals are counted after the mailbox was visited", n, removed)
	}
	// A mailbox that waits for a replica is due in any case.
	blocked := mail.MailboxID{15: 2}
	d.lookAgain(blocked)
	for range 200_000 {
		d.note(box(quiet%400_000), 3)
		quiet++
	}
	if list := d.take(2000); len(list) != 1 || list[0] != blocked {
		t.Errorf("%d are due, want the mailbox that waits for a replica", len(list))
	}
}

// Thousands of mailboxes that wait for a replica do not displace recently drained mailboxes from a
// run.
func TestRemovalCountsComeBeforeTheBlocked(t *testing.T) {
	var d removalCounts
	fresh := mail.MailboxID{15: 1}
	d.note(fresh, 10)
	for i := range 10_000 {
		d.lookAgain(mail.MailboxID{byte(i >> 8), byte(i)})
	}
	if list := d.take(5); len(list) != 10_001 || list[0] != fresh {
		t.Errorf("of %d mailboxes the recently drained mailbox is number %d, want the first of 10001", len(list), slices.Index(list, fresh)+1)
	}
}

// A message from about the moment that may make a mailbox bulk on another server is looked for in
// both places, even if the clocks of the two servers differ by the maximum.
func TestBulkMarginOfClocks(t *testing.T) {
	states := newBulkStates(time.Hour)
	mailbox, now := mail.MailboxID{1}, time.Now()
	states.learn(mailbox, 0, now, "")
	for after, want := range map[time.Duration]int{
		time.Hour: 2, time.Hour - 2*store.MaxClockSkew + time.Second: 2, time.Hour - 2*store.MaxClockSkew - time.Second: 1, 0: 1,
	} {
		if n := len(states.segmentsOf(mailbox, mail.MinMessageID(now.Add(after)))); n != want {
			t.Errorf("a message of %v later is looked for in %d segments, want %d", after, n, want)
		}
	}
}
