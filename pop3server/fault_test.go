package pop3server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/storetest"
)

// After a fault of any operation no message is lost, no response is wrong, and the fault is reported
// as a fault.
func TestEachFault(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
		outside.AddSamples(t, 3)
		f := outside.On(t, wrap(outside.Store), pop3server.Config{})
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Cmd("PASS " + pop3test.Password)
		if line := c.Line(); !strings.HasPrefix(line, "+OK 3 messages (310 octets)") {
			if !strings.HasPrefix(line, "-ERR [SYS/TEMP]") {
				t.Errorf("PASS: %q", line)
			}
			// The fault is over: the next try succeeds.
			c.Do("USER alice", "+OK")
			c.Do("PASS "+pop3test.Password, "+OK 3 messages (310 octets)")
		}
		c.Do("STAT", "+OK 3 310")
		for n, size := range []int{125, 98, 87} {
			for range 2 {
				c.Cmdf("RETR %d", n+1)
				line := c.Line()
				if strings.HasPrefix(line, "-ERR [SYS/TEMP]") {
					continue
				}
				if line != fmt.Sprintf("+OK %d octets", size) {
					t.Errorf("RETR %d: %q", n+1, line)
				}
				if text := c.ReadMultiline(); len(text) != size {
					t.Errorf("RETR %d: %d octets, want %d", n+1, len(text), size)
				}
			}
		}
		c.Do("DELE 1", "+OK")
		c.Do("DELE 3", "+OK")
		c.Cmd("QUIT")
		line := c.Line()
		c.ExpectEOF()
		if line != "+OK bye" { // a retry overcomes a single fault
			t.Errorf("QUIT: %q", line)
		}
		checkLeft(t, outside, "second")
	})
}

// failing is a store with replaced operations; a nil function is not replaced.
type failing struct {
	store.Mail
	remove func(ctx context.Context) error
	list   func() error
	open   func(r io.ReadCloser) (io.ReadCloser, error)
}

func (s *failing) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	if s.remove != nil {
		if err := s.remove(ctx); err != nil {
			return err
		}
	}
	return s.Mail.RemoveListed(ctx, mailbox, rows)
}

func (s *failing) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	if s.list != nil {
		if err := s.list(); err != nil {
			return nil, false, err
		}
	}
	return s.Mail.ListMessages(ctx, mailbox, after, limit)
}

func (s *failing) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	info, r, err := s.Mail.OpenContent(ctx, id, origin)
	if err == nil && s.open != nil {
		inner := r
		if r, err = s.open(r); err != nil {
			inner.Close()
		}
	}
	return info, r, err
}

func always(err error) func() error { return func() error { return err } }

// failingRows is a directory whose addresses cannot be read, unless err is nil.
type failingRows struct {
	store.Directory
	err error
}

func (d *failingRows) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.Directory.AddressRows(ctx, a)
}

func TestFailedQuit(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 2)
	for _, tt := range []struct {
		name   string
		remove func(ctx context.Context) error
		took   time.Duration
	}{
		{"fails each time", func(context.Context) error { return store.ErrUnavailable }, 1050 * time.Millisecond},
		{"closed", func(context.Context) error { return store.ErrClosed }, 0},
		{"hangs", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 30 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, remove: tt.remove}, pop3server.Config{CommitTimeout: 30 * time.Second})
			c := logIn(t, f)
			c.Do("DELE 1", "+OK")
			start := time.Now()
			c.Do("QUIT", "-ERR [SYS/TEMP] some deleted messages not removed (session ")
			c.ExpectEOF()
			if took := time.Since(start); took != tt.took {
				t.Errorf("%s: QUIT took %v, want %v", tt.name, took, tt.took)
			}
			synctest.Wait()
			if n := f.Metric(t, "popelago_pop3server_sessions_total", "result", "quit_failed"); n != 1 {
				t.Errorf("%s: %v sessions ended with quit_failed, want 1", tt.name, n)
			}
		})
		checkLeft(t, outside, "first second")
	}
}

// QUIT is an order: the removal goes on even if the connection is closed by force meanwhile.
func TestQuitGoesOnWithoutTheClient(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 2)
	reached, release := make(chan struct{}), make(chan struct{})
	f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, remove: func(ctx context.Context) error {
		close(reached)
		<-release
		return ctx.Err()
	}}, pop3server.Config{})
	c := f.LogIn(t)
	c.Do("DELE 1", "+OK")
	c.Cmd("QUIT")
	<-reached
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- f.Server.Shutdown(ctx) }()
	c.ExpectEOF() // by now the session has to end
	close(release)
	if err := <-stopped; err != nil && err != context.Canceled {
		t.Errorf("Shutdown: %v", err)
	}
	checkLeft(t, outside, "second")
}

func TestFaultAtLogin(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 1)
	for _, tt := range []struct {
		name string
		rows error        // of the directory
		list func() error // of the mailbox
		want string
	}{
		{"directory away", store.ErrUnavailable, nil, "-ERR [SYS/TEMP] temporary fault, try again later (session "},
		{"directory damaged", store.ErrCorrupt, nil, "-ERR [SYS/PERM] account is damaged (session "},
		{"list away", nil, always(store.ErrUnavailable), "-ERR [SYS/TEMP] temporary fault, try again later (session "},
		{"list damaged", nil, always(store.ErrCorrupt), "-ERR [SYS/PERM] "},
		{"unknown error", nil, always(io.ErrNoProgress), "-ERR [SYS/TEMP] "},
		{"timeout", nil, always(context.DeadlineExceeded), "-ERR [SYS/TEMP] "},
	} {
		st := &failing{Mail: outside.Store.Mail.Local, list: tt.list}
		rows := &failingRows{outside.Store.Directory.Local, tt.rows}
		f := outside.On(t, storetest.WithDirectory(storetest.WithMail(outside.Store, st), rows),
			pop3server.Config{LoginDelay: time.Hour, FailureDelay: -1})
		c := f.Client(t)
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, tt.want)
		c.Do("STAT", "-ERR log in first")
		c.Do("AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jk", tt.want)
		if tt.rows == nil { // wrong passwords are still wrong
			c.Do("USER alice", "+OK")
			c.Do("PASS x", "-ERR [AUTH] login failed")
		}
		st.list, rows.err = nil, nil
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK 1 ") // the failed login did not count for LOGIN-DELAY
		c.Do("QUIT", "+OK")
	}
}

// brokenReader fails after some octets.
type brokenReader struct {
	io.ReadCloser
	after int64
	err   error
}

func (r *brokenReader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, io.LimitReader(r.ReadCloser, r.after))
	if err == nil {
		err = r.err
	}
	return n, err
}

func TestFaultAtRETR(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 2)
	outside.Add(t, outside.Alice, content8K, "big")
	openFails := func(err error) *failing {
		return &failing{open: func(io.ReadCloser) (io.ReadCloser, error) { return nil, err }}
	}
	readFails := func(after int64, err error) *failing {
		return &failing{open: func(r io.ReadCloser) (io.ReadCloser, error) {
			return &brokenReader{r, after, err}, nil
		}}
	}
	for _, tt := range []struct {
		name string
		st   *failing
		want string // empty: the connection breaks
	}{
		{"away", openFails(store.ErrUnavailable), "-ERR [SYS/TEMP] "},
		{"content missing", openFails(store.ErrNotFound), "-ERR [SYS/TEMP] "},
		{"damaged", openFails(store.ErrCorrupt), "-ERR [SYS/PERM] message is damaged (session "},
		{"away at the first octet", readFails(0, store.ErrUnavailable), "-ERR [SYS/TEMP] "},
		{"damaged at the first octet", readFails(0, store.ErrCorrupt), "-ERR [SYS/PERM] "},
		{"damaged midway", readFails(4000, store.ErrCorrupt), ""},
		{"away midway", readFails(8000, store.ErrUnavailable), ""},
		{"away at the end", readFails(1<<20, store.ErrUnavailable), ""},
	} {
		tt.st.Mail = outside.Store.Mail.Local
		f := onMail(t, outside, tt.st, pop3server.Config{})
		for _, command := range []string{"RETR 3", "TOP 3 1000"} {
			c := f.LogIn(t)
			c.Do("DELE 1", "+OK")
			if tt.want != "" {
				c.Do(command, tt.want)
				c.Do("NOOP", "+OK")
				c.Do("RSET", "+OK")
				c.Do("QUIT", "+OK")
				continue
			}
			c.Cmd(command)
			if line, err := c.TryLine(); err == nil && strings.HasPrefix(line, "-ERR") {
				t.Errorf("%s: %s: %q", tt.name, command, line)
			}
			if text, err := c.TryMultiline(); err == nil {
				t.Errorf("%s: %s: %d octets look like a whole message", tt.name, command, len(text))
			}
			c.Close()
		}
		if tt.want == "" {
			waitSessions(t, f, "broken", 2)
		}
		checkLeft(t, outside, "first second big")
	}

	// TOP of the header succeeds even if the body behind is damaged.
	f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, open: readFails(4000, store.ErrCorrupt).open}, pop3server.Config{})
	c := f.LogIn(t)
	c.Do("TOP 3 0", "+OK")
	c.ReadMultiline()
	c.Do("QUIT", "+OK")
}

// If a text cannot be sent to its end, the connection does not end in an orderly way: some clients
// mistake an orderly end for the end of the text.
func TestBrokenTextHasNoOrderlyEnd(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.Add(t, outside.Alice, strings.Repeat(content8K, 10), "big")
	st := &failing{Mail: outside.Store.Mail.Local, open: func(r io.ReadCloser) (io.ReadCloser, error) {
		return &brokenReader{r, 60_000, store.ErrCorrupt}, nil
	}}
	f := onMail(t, outside, st, pop3server.Config{})
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	c.Cmd("RETR 1")
	if _, err := io.Copy(io.Discard, c.Conn()); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want %v", err, syscall.ECONNRESET)
	}
}

func TestMessageRemovedMeanwhile(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 2)
	f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, open: func(io.ReadCloser) (io.ReadCloser, error) {
		return nil, store.ErrNotFound
	}}, pop3server.Config{})
	c := f.LogIn(t)
	other := outside.LogIn(t)
	other.Do("DELE 1", "+OK")
	other.Do("QUIT", "+OK")
	c.Do("RETR 1", "-ERR message was removed by another session")
	c.Do("TOP 1 0", "-ERR message was removed by another session")
	c.Do("RETR 2", "-ERR [SYS/TEMP] ")
	c.Do("LIST 1", "+OK 1 125")
	c.Do("DELE 1", "+OK")
	c.Do("QUIT", "+OK")
	checkLeft(t, outside, "second")
}

func TestLog(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 2)
	var log mailtest.Log
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	st := &failing{Mail: outside.Store.Mail.Local}
	f := onMail(t, outside, st, pop3server.Config{Logger: logger, FailureDelay: -1})
	c := f.Client(t)
	c.Do("USER alice", "+OK")
	c.Do("PASS hunter2 wrong", "-ERR")
	c.Do("USER remote=192.0.2.1@example.test", "+OK")
	c.Do("PASS x", "-ERR")
	c.Do("USER hunter2", "+OK") // the password in the wrong place
	c.Do("PASS x", "-ERR")
	c.Do("AUTH PLAIN AGFsaWNlAGh1bnRlcjIgd3Jvbmc=", "-ERR")
	c.Do("hunter2", "-ERR")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	st.open = func(io.ReadCloser) (io.ReadCloser, error) { return nil, fmt.Errorf("disk 7: %w", store.ErrUnavailable) }
	answer := c.Do("RETR 1", "-ERR [SYS/TEMP]")
	st.open = nil
	c.Do("RETR 2", "+OK")
	c.ReadMultiline()
	c.Do("DELE 2", "+OK")
	c.Do("QUIT", "+OK")
	waitSessions(t, f, "quit", 1)
	got := log.String()
	for _, secret := range []string{"hunter2", pop3test.Password, "aHVudGVy", "GFsaWNl"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log tells %q:\n%s", secret, got)
		}
	}
	if strings.Contains(answer, "disk") {
		t.Errorf("the answer tells the cause: %q", answer)
	}
	_, id, _ := strings.Cut(answer, "(session ")
	id = strings.TrimSuffix(id, ")")
	for _, want := range []string{
		`msg="command failed" protocol=pop3 session=` + id + ` command=RETR user=alice@example.test cause="maildrop: open message `,
		`msg=logout protocol=pop3 session=` + id + ` user=alice@example.test ended=quit retrieved=1 octets=98 removed=1 durability=local`,
		`msg="login failed" protocol=pop3 session=` + id + ` remote="" reason=wrong_password user=alice command=PASS failures=1`,
		`msg="login failed" protocol=pop3 session=` + id + ` remote="" reason=unknown_user user="remote=192.0.2.1@example.test" command=PASS failures=2`,
		`msg="login failed" protocol=pop3 session=` + id + ` remote="" reason=unknown_user user="(not shown)" command=PASS failures=3`,
		`msg=login protocol=pop3 session=` + id + ` user=alice@example.test`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("want once in the log: %s\ngot\n%s", want, got)
		}
	}
	if n := strings.Count(got, "disk 7"); n != 1 {
		t.Errorf("the cause was logged %d times, want 1", n)
	}
}
