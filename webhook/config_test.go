package webhook

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

func TestParseTarget(t *testing.T) {
	good, err := ParseTarget("crm-1=https://hooks.example.org/in?x=1")
	if err != nil || good.Name != "crm-1" || good.URL != "https://hooks.example.org/in?x=1" {
		t.Errorf("%+v, %v", good, err)
	}
	for _, text := range []string{
		"", "crm", "=https://a.test", "CRM=https://a.test", "a b=https://a.test", strings.Repeat("x", 41) + "=https://a.test",
		"crm=", "crm=/path", "crm=ftp://secret.test", "crm=https://", "crm=https://a.test/#secret", "crm=https://user:secret@a.test:x/", "crm=https://user:secret@a.test/",
	} {
		if target, err := ParseTarget(text); err == nil {
			t.Errorf("%q became %+v", text, target)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error quotes the URL: %v", text, err)
		}
	}
}

func TestWithKeys(t *testing.T) {
	key := strings.Repeat("k", 32)
	text := base64.StdEncoding.EncodeToString([]byte(key))
	targets := []Target{{Name: "a", URL: "https://a.test"}, {Name: "b", URL: "https://b.test"}}
	got, err := WithKeys(targets, []byte("# keys\n\na whsec_"+text+"\r\nb  "+text+"\noff "+text+"\n"))
	if err != nil || string(got[0].Key) != key || string(got[1].Key) != key || targets[0].Key != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, file := range []string{
		"", "a " + text, "a " + text + "\na " + text + "\nb " + text, "a " + text + "\nb", "a " + text + "\nb c2hvcnQ=",
		"a " + text + "\nb " + text + "x", "a " + text + "\nb " + text + "\n/ " + text, "a " + text + "\nb " + base64.StdEncoding.EncodeToString(make([]byte, 65)),
	} {
		if got, err := WithKeys(targets, []byte(file)); err == nil {
			t.Errorf("%q became %+v", file, got)
		} else if strings.Contains(err.Error(), text) {
			t.Errorf("%q: the error quotes the key: %v", file, err)
		}
	}
}

// Rows of one moment wait until no row of another server can precede them.
func TestReady(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	row := func(age time.Duration) queued { return queued{row: store.Record{At: now.Add(-age)}} }
	rows := []queued{row(10 * time.Second), row(3 * time.Second), row(time.Second), row(-time.Hour)}
	for _, c := range []struct {
		what    string
		horizon time.Time
		settle  time.Duration
		want    int
	}{
		{"a single server", time.Time{}, 0, 4},
		{"several servers", time.Time{}, 2 * time.Second, 2},
		{"a lane with further rows", now.Add(-5 * time.Second), 0, 1},
		{"a horizon at a row", now.Add(-3 * time.Second), 0, 2},
	} {
		if got := len(ready(rows, c.horizon, now, c.settle)); got != c.want {
			t.Errorf("%s: %d rows, want %d", c.what, got, c.want)
		}
	}
	ahead := row(-time.Hour)
	ahead.lane = "ahead"
	if got := ready(append(rows[2:3:3], ahead), time.Time{}, now, 2*time.Second); len(got) != 1 || got[0].lane != "ahead" {
		t.Errorf("%v: a row of a clock far ahead waits behind a young row of another lane", got)
	}
	if got := ready(rows[2:], time.Time{}, now, 2*time.Second); len(got) != 0 {
		t.Errorf("%v: a row passes a young row of its lane", got)
	}
}

func TestBackOff(t *testing.T) {
	for n, most := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 40: 5 * time.Minute} {
		for range 20 {
			if got := backOff(n, 5*time.Minute); got > most || got < most*3/4 {
				t.Errorf("after %d failures: %v, want at most %v", n, got, most)
			}
		}
	}
}

// The rows of a write stand in one hour, behind all rows before, whatever the clock does.
func TestBegin(t *testing.T) {
	hour := time.Unix(1_790_000_000, 0).Truncate(time.Hour)
	now := hour.Add(-3 * time.Microsecond)
	var wrong error
	o := &Outbox{cfg: Config{Place: event.Place{Now: func() time.Time { return now }}}, clock: func() error { return wrong }}
	check := func(what string, n int, want time.Time) {
		t.Helper()
		got, err := o.begin(n)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
		o.last = got.Add(time.Duration(n-1) * time.Microsecond)
	}
	wrong = store.ErrClock
	if _, err := o.begin(1); !errors.Is(err, store.ErrClock) || o.lane != "" {
		t.Errorf("a lane begins by a clock that is not trusted: %v", err)
	}
	wrong = nil
	check("before the hour", 2, hour.Add(-3*time.Microsecond))
	check("across the hour", 5, hour)
	check("a clock that stands still", 1, hour.Add(5*time.Microsecond))
	now = hour.Add(-24 * time.Hour)
	check("a clock that went back", 1, hour.Add(6*time.Microsecond))
	now, wrong = hour.Add(24*time.Hour), store.ErrClock
	check("a clock that is not trusted", 1, hour.Add(7*time.Microsecond))
	now, wrong = hour.Add(time.Minute), nil
	check("a clock that is right again", 1, hour.Add(time.Minute))
}

// The longest event fits into a row, and the longest names into a key.
func TestLengths(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	e := event.Event{
		Kind: event.Kind(long), Time: time.Now(), Server: long, Datacenter: long, Address: long, Recipient: long, Sender: long, HeaderID: long,
		UIDL: mail.UIDL(long), Protocol: long, Session: long, Cause: long, Actor: long, Operation: long, Before: long, After: long,
		Mailbox: mail.MailboxID{1}, Message: mail.MessageID{1}, Size: 1 << 60, Messages: 1 << 60, Reached: 3, Remote: netip.MustParseAddr("2001:db8::1"),
	}
	if n := len(encode(e)); n > store.MaxRecordData {
		t.Errorf("a row has %d octets", n)
	}
	lane := laneName(time.Now(), 1<<63)
	if got, part, ok := parsePart(partName(lane, 3)); !ok || got != lane || part != 3 || bornOf(lane).IsZero() {
		t.Errorf("%q became %q, %d, %v", partName(lane, 3), got, part, ok)
	}
	for _, name := range []string{"", "x", lane, lane + " 4", lane + " -1", "zz 1", lane + " 1x"} {
		if _, _, ok := parsePart(name); ok {
			t.Errorf("%q is a name", name)
		}
	}
	list := sentList(strings.Repeat("d", 100), strings.Repeat("n", maxName), firstEpoch(time.Now()))
	if n := len(list); n > store.MaxRecordKey {
		t.Errorf("a list has a name of %d octets", n)
	}
}
