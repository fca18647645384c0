package event_test

import (
	"strings"
	"testing"
	"time"

	"popelago/event"
)

func TestHeaderID(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ value, want string }{
		{" <1234@example.org>", "1234@example.org"},
		{"<1234@example.org> (comment <b>)", "1234@example.org"},
		{"1234@example.org", "1234@example.org"},
		{"\t < 1234@example.org > ", "1234@example.org"},
		{"<unclosed@example.org", "<unclosed@example.org"},
		{"", ""}, {"<>", ""}, {"  ", ""},
		{"<" + long + ">", long[:event.MaxHeaderID]},
	} {
		got := event.HeaderID(c.value)
		if got != c.want {
			t.Errorf("HeaderID(%q) = %q, want %q", c.value, got, c.want)
		}
		if again := event.HeaderID(got); again != got {
			t.Errorf("HeaderID(%q) = %q: the form is not stable", got, again)
		}
	}
}

func TestStamp(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	p := event.Place{Server: "mx1", Datacenter: "dc1", Now: func() time.Time { return now }}
	if e := p.Stamp(event.Event{Kind: event.Accepted}); e.Server != "mx1" || e.Datacenter != "dc1" || !e.Time.Equal(now) {
		t.Errorf("stamped %+v", e)
	}
	earlier := now.Add(-time.Hour)
	if e := p.Stamp(event.Event{Time: earlier}); !e.Time.Equal(earlier) {
		t.Errorf("the time became %v", e.Time)
	}
}
