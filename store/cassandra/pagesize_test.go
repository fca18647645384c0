package cassandra

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
)

// After a time-out the pages are small. Pages grow while they are quick, up to half the size that
// timed out, shrink while they are slow, and never fall below the smallest size.
func TestPageSizes(t *testing.T) {
	const timeout = 5 * time.Second
	p := newPageSizes(slog.New(slog.DiscardHandler), prometheus.NewCounter(prometheus.CounterOpts{}))
	defer p.sizes.Close()
	mailbox, other := mail.MailboxID{1}, mail.MailboxID{2}
	want := func(rows int) {
		t.Helper()
		if got := p.of(mailbox); got != rows {
			t.Errorf("pages of %d rows, want %d", got, rows)
		}
	}
	want(maxPage)
	p.succeeded(mailbox, time.Minute, timeout) // a slow page alone is no time-out
	want(maxPage)
	if !p.failed(mailbox, maxPage) {
		t.Error("no smaller page is tried after a full-size page")
	}
	want(smallPage)
	for _, rows := range []int{200, 400, 800, 1600, 2500, 2500} {
		p.succeeded(mailbox, time.Millisecond, timeout)
		want(rows)
	}
	p.succeeded(mailbox, 2*time.Second, timeout) // neither quick nor slow
	want(2500)
	p.succeeded(mailbox, 3*time.Second, timeout)
	want(1250)
	p.failed(mailbox, 1250)
	want(smallPage)
	if p.failed(mailbox, smallPage) {
		t.Error("a page smaller than the smallest is tried")
	}
	p.succeeded(mailbox, 4*time.Second, timeout)
	want(smallPage)
	for range 5 {
		p.succeeded(mailbox, time.Millisecond, timeout)
	}
	want(625)
	if got := p.of(other); got != maxPage {
		t.Errorf("another mailbox has pages of %d rows", got)
	}
}

// timedOut separates pages that took too long from other failures.
func TestTimedOut(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{gocql.ErrTimeoutNoResponse, true},
		{fmt.Errorf("list: %w", gocql.ErrTimeoutNoResponse), true},
		{fmt.Errorf("list: %w", answer(gocql.ErrCodeReadTimeout)), true},
		{answer(gocql.ErrCodeUnavailable), false},
		{answer(gocql.ErrCodeReadFailure), false},
		{gocql.ErrNoConnections, false},
		{errors.New("x"), false},
		{nil, false},
	} {
		if got := timedOut(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// The log has one line of a kind in a while; the next line counts the suppressed ones.
func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := seldom{every: time.Minute}
		want := func(kind string, skipped int, ok bool) {
			t.Helper()
			if gotSkipped, gotOK := s.allow(kind); gotSkipped != skipped || gotOK != ok {
				t.Errorf("%s: %d kept out, allowed %v; want %d, %v", kind, gotSkipped, gotOK, skipped, ok)
			}
		}
		want("a", 0, true)
		want("a", 0, false)
		want("b", 0, true)
		time.Sleep(time.Minute - 1)
		want("a", 0, false)
		time.Sleep(time.Nanosecond)
		want("a", 2, true)
		want("a", 0, false)
		for i := range maxKinds {
			s.allow(fmt.Sprint(i))
		}
		if len(s.kinds) > maxKinds {
			t.Errorf("%d kinds are remembered", len(s.kinds))
		}
	})
}
