package cassandra

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// messagesOf returns n ids of a moment.
func messagesOf(at time.Time, n int) []mail.MessageID {
	return slices.Repeat([]mail.MessageID{mail.MinMessageID(at)}, n)
}

// A removed message counts as soon as a floor may pass it, also if an earlier look came too early.
func TestRemovalCountsWaitForTheYoung(t *testing.T) {
	d := removalCounts{window: time.Hour}
	now, mailbox := time.Now(), mail.MailboxID{1}
	want := func(after time.Duration, want bool) {
		t.Helper()
		if got := len(d.take(5, now.Add(after))) == 1; got != want {
			t.Errorf("after %v a look is due: %v, want %v", after, got, want)
		}
	}
	d.note(mailbox, messagesOf(now.Add(-2*time.Hour), 4), now)
	d.note(mailbox, messagesOf(now.Add(-30*time.Minute), 3), now)
	d.note(mailbox, messagesOf(now, 4), now)
	want(0, false)
	want(29*time.Minute, false)
	want(40*time.Minute, true)
	d.raised(mailbox)
	if n := d.stuck(mailbox); n != 4 {
		t.Errorf("%d removals are above the floor, want 4", n)
	}
	want(59*time.Minute, false)
	d.note(mailbox, messagesOf(now, 1), now.Add(59*time.Minute))
	want(70*time.Minute, true)
	want(80*time.Minute, false)
	d.raised(mailbox)
	if len(d.counts) > 0 {
		t.Errorf("%v is remembered", d.counts)
	}
}

// Many quiet mailboxes displace neither the count of a busy mailbox nor its stuck number.
func TestRemovalCountsForgetsTheQuietOnes(t *testing.T) {
	var d removalCounts
	now := time.Now()
	many := messagesOf(now.Add(-time.Hour), 500)
	box := func(i int) (m mail.MailboxID) {
		m[0], m[1], m[2] = byte(i>>16), byte(i>>8), byte(i)
		return m
	}
	busy := mail.MailboxID{15: 1}
	removed, quiet := 0, 0
	for range 20 {
		d.note(busy, many, now)
		removed += 500
		for range 40_000 {
			d.note(box(quiet%400_000), many[:1], now)
			quiet++
		}
	}
	if len(d.counts) > maxRemovalCounts {
		t.Errorf("%d mailboxes are remembered, want at most %d", len(d.counts), maxRemovalCounts)
	}
	if list := d.take(2000, now); len(list) != 1 || list[0] != busy {
		t.Errorf("%d mailboxes are due after %d removals from one, want the busy mailbox alone", len(list), removed)
	}
	if n := d.stuck(busy); n != removed {
		t.Errorf("%d of %d removals are counted", n, removed)
	}
	// A mailbox whose floor could not rise keeps its number, though nothing is due.
	for range 200_000 {
		d.note(box(quiet%400_000), many[:1], now)
		quiet++
	}
	if n := d.stuck(busy); n != removed {
		t.Errorf("%d of %d removals are counted after the mailbox was visited", n, removed)
	}
	// A mailbox that waits for a replica is due in any case.
	blocked := mail.MailboxID{15: 2}
	d.lookAgain(blocked)
	for range 200_000 {
		d.note(box(quiet%400_000), many[:3], now)
		quiet++
	}
	if list := d.take(2000, now); len(list) != 1 || list[0] != blocked {
		t.Errorf("%d are due, want the mailbox that waits for a replica", len(list))
	}
}

// Thousands of mailboxes that wait for a replica do not displace recently drained mailboxes from a
// run.
func TestRemovalCountsComeBeforeTheBlocked(t *testing.T) {
	var d removalCounts
	fresh := mail.MailboxID{15: 1}
	now := time.Now()
	d.note(fresh, messagesOf(now.Add(-time.Hour), 10), now)
	for i := range 10_000 {
		d.lookAgain(mail.MailboxID{byte(i >> 8), byte(i)})
	}
	if list := d.take(5, now); len(list) != 10_001 || list[0] != fresh {
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
