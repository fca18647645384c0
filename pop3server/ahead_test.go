package pop3server_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// slowContents is a store whose contents open as soon as the test lets them.
type slowContents struct {
	store.Mail

	mu      sync.Mutex
	waiting []mail.MessageID // calls of OpenContent that wait
	let     chan struct{}    // closed: calls wait no more
	fail    mail.MessageID   // fails once, after the wait
	panics  bool             // instead of a failure
	opened  int              // contents not closed yet
	calls   int
}

func (s *slowContents) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	s.mu.Lock()
	s.waiting = append(s.waiting, id)
	s.calls++
	s.mu.Unlock()
	select {
	case <-s.let:
	case <-ctx.Done():
		return store.ContentInfo{}, nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == id {
		s.fail = mail.MessageID{}
		if s.panics {
			panic("a damaged content")
		}
		return store.ContentInfo{}, nil, store.ErrUnavailable
	}
	info, r, err := s.Mail.OpenContent(ctx, id, origin)
	if err == nil {
		s.opened++
		r = &noted{ReadCloser: r, s: s}
	}
	return info, r, err
}

func (s *slowContents) count() (waiting, opened, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting), s.opened, s.calls
}

// noted is a content that notes its Close.
type noted struct {
	io.ReadCloser
	s *slowContents
}

func (c *noted) WriteTo(w io.Writer) (int64, error) { return c.ReadCloser.(io.WriterTo).WriteTo(w) }

func (c *noted) Close() error {
	c.s.mu.Lock()
	c.s.opened--
	c.s.mu.Unlock()
	return c.ReadCloser.Close()
}

// Each case sends its commands at once. The messages have the texts "one", "two" and so on.
func TestReadAhead(t *testing.T) {
	words := []string{"one", "two", "three", "four", "five", "six", "seven"}
	large := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 1600) // 100 KiB
	for _, tt := range []struct {
		name      string
		commands  string
		readAhead int
		large     bool
		fail      int    // the message whose first read fails
		panics    bool   // instead of a failure
		waiting   int    // reads that begin before the first one ends
		replies   string // words of the messages, +OK or -ERR
		calls     int
	}{
		{name: "one by one", commands: "RETR 1", waiting: 1, replies: "one", calls: 1},
		{name: "many", commands: "RETR 1, RETR 2, RETR 3, RETR 4, RETR 5, RETR 6, RETR 7", waiting: 5, replies: "one two three four five six seven", calls: 7},
		{name: "fewer", commands: "RETR 1, RETR 2, RETR 3, RETR 4", readAhead: 1, waiting: 2, replies: "one two three four", calls: 4},
		{name: "none", commands: "RETR 1, RETR 2, RETR 3", readAhead: -1, waiting: 1, replies: "one two three", calls: 3},
		{name: "TOP", commands: "TOP 3 9, TOP 2 9, RETR 1", waiting: 3, replies: "three two one", calls: 3},
		{name: "other commands between", commands: "RETR 1, DELE 1, NOOP, RETR 2, DELE 2", waiting: 2, replies: "one +OK +OK two +OK", calls: 2},
		{name: "marked before its turn", commands: "RETR 1, DELE 2, RETR 2, RETR 3", waiting: 3, replies: "one +OK -ERR three", calls: 3},
		{name: "marked already", commands: "DELE 2, RETR 1, RETR 2, RETR 3", waiting: 2, replies: "+OK one -ERR three", calls: 2},
		{name: "one message twice", commands: "RETR 1, RETR 1, RETR 2, RETR 2", waiting: 2, replies: "one one two two", calls: 4},
		{name: "no such message", commands: "RETR 1, RETR 99, RETR x, TOP, RETR 2", waiting: 2, replies: "one -ERR -ERR -ERR two", calls: 2},
		{name: "a read fails once", commands: "RETR 1, RETR 2, RETR 3", fail: 2, waiting: 3, replies: "one two three", calls: 4},
		{name: "a panic", commands: "RETR 1, RETR 2, RETR 3", panics: true, fail: 2, waiting: 3, replies: "one two three", calls: 4},
		{name: "the first read fails", commands: "RETR 1, RETR 2, RETR 1", fail: 1, waiting: 2, replies: "-ERR two one", calls: 3},
		{name: "much", commands: "RETR 1, RETR 2, RETR 3, RETR 4, RETR 5", large: true, waiting: 3, replies: "one two three four five", calls: 5},
		{name: "the end", commands: "RETR 1, QUIT, RETR 2", waiting: 1, replies: "one +OK", calls: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
			var ids []mail.MessageID
			for _, w := range words {
				text := "a: b\r\n\r\n" + w + "\r\n"
				if tt.large {
					text += large
				}
				ids = append(ids, outside.Add(t, outside.Alice, text, "").ID)
			}
			synctest.Test(t, func(t *testing.T) {
				slow := &slowContents{Mail: outside.Store.Mail.Local, let: make(chan struct{})}
				if tt.fail > 0 {
					slow.fail, slow.panics = ids[tt.fail-1], tt.panics
				}
				f := onMail(t, outside, slow, pop3server.Config{ReadAhead: tt.readAhead})
				c := logIn(t, f)
				c.Send(strings.ReplaceAll(tt.commands, ", ", "\r\n") + "\r\n")
				synctest.Wait()
				if waiting, _, _ := slow.count(); waiting != tt.waiting {
					t.Errorf("%d reads wait, want %d", waiting, tt.waiting)
				}
				close(slow.let)
				var got []string
				for _, command := range strings.Split(tt.commands, ", ") {
					line := c.Line()
					reply, _, _ := strings.Cut(line, " ")
					if reply == "+OK" && (strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "TOP")) {
						_, body, _ := strings.Cut(string(c.ReadMultiline()), "\r\n\r\n")
						reply, _, _ = strings.Cut(body, "\r\n")
					}
					got = append(got, reply)
					if command == "QUIT" {
						c.ExpectEOF()
						break
					}
				}
				if strings.Join(got, " ") != tt.replies {
					t.Errorf("replies %q, want %q", got, tt.replies)
				}
				c.Close()
				synctest.Wait()
				if n := f.Metric(t, "popelago_pop3server_read_ahead_panics_total", "", ""); (n == 1) != tt.panics {
					t.Errorf("%v panics are counted", n)
				}
				if _, opened, calls := slow.count(); opened != 0 || calls != tt.calls {
					t.Errorf("%d contents are open, after %d reads; want 0 and %d", opened, calls, tt.calls)
				}
			})
		})
	}
}

// A client that leaves, and an administrator who ends the session, end the reads, too.
func TestReadAheadGivenUp(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 6)
	for name, end := range map[string]func(*mailtest.Client, *pop3test.Fixture){
		"client leaves":      func(c *mailtest.Client, _ *pop3test.Fixture) { c.Close() },
		"administrator ends": func(_ *mailtest.Client, f *pop3test.Fixture) { f.Server.EndSessions() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slow := &slowContents{Mail: outside.Store.Mail.Local, let: make(chan struct{})}
				f := onMail(t, outside, slow, pop3server.Config{})
				c := logIn(t, f)
				c.Send("RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n")
				synctest.Wait()
				if waiting, _, _ := slow.count(); waiting != 4 {
					t.Errorf("%d reads wait, want 4", waiting)
				}
				end(c, f)
				synctest.Wait()
				close(slow.let)
				synctest.Wait()
				if _, opened, calls := slow.count(); opened != 0 {
					t.Errorf("%d contents are open, after %d reads", opened, calls)
				}
			})
		})
	}
}
