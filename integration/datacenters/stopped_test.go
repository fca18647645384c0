package datacenters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// TestStoppedInTheMiddle stops a server (SIGSTOP) while its deliveries are between write and reply,
// and resumes it after the in-flight window: running servers have reclaimed space meanwhile, floors
// are above its ids, and some senders have turned to another server. Every acknowledged message is
// present; a deferred message leaves no second copy when its sender repeats the message. A message that was complete
// when the server was stopped may be acknowledged later: its copy is present, too.
func TestStoppedInTheMiddle(t *testing.T) {
	const window = 9 * time.Second
	s := newSites(t, sitetest.WindowSetting(window), `cassandra.floor_every = 1`,
		`cassandra.timeout = "1m"`, `tasks.orphans_rate = 100000`)
	var senders []*patient
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var all sync.WaitGroup
	for i := range 12 {
		p := newPatient(fmt.Sprint("user-", i))
		senders = append(senders, p)
		s.Create(t, s.One, p.to)
		all.Go(func() { p.send(ctx, t, s.One) })
	}
	goOn := func() {
		t.Helper()
		allow(senders, 3)
		for _, p := range senders {
			mailtest.WaitFor(t, sitetest.Limit, func() error {
				if t.Failed() { // the senders have ended
					t.FailNow()
				}
				if left := p.allowed(); left > 0 {
					return fmt.Errorf("%s lacks %d more messages", p.to.Address, left)
				}
				return nil
			})
		}
	}
	rows, contents := 0, 0
	goOn()
	for round := 0; round < 20 && (rows == 0 || contents == 0 || allElsewhere(senders) == 0); round++ {
		r, c := stopInTheMiddle(t, s, senders, window)
		rows, contents = rows+r, contents+c
		goOn()
	}
	end()
	all.Wait()
	delayed, elsewhere := 0, allElsewhere(senders)
	for _, p := range senders {
		delayed += p.putOff
		for _, at := range s.Both() {
			s.Shows(t, at, p.to, p.left()...)
		}
	}
	t.Logf("when the server was stopped %d messages were in maildrops, and %d not yet, without having been acknowledged; %d times a sender was put off; %d were sent elsewhere",
		rows, contents, delayed, elsewhere)
	if rows == 0 || contents == 0 || delayed == 0 || elsewhere == 0 {
		t.Error("the test has lost its point")
	}
	if err := cassandratest.Uncoordinated(s.Cluster.Cluster); err != nil {
		t.Error(err)
	}
}

// stopInTheMiddle stops the server of dc1 while its statements are in flight, and resumes it after
// the window and the background work of other servers. The results are the numbers of stored messages
// without a reply: with an entry, and with a content only.
func stopInTheMiddle(t *testing.T, s *sitetest.Sites, senders []*patient, window time.Duration) (rows, contents int) {
	t.Helper()
	node := s.Datacenter("dc1")[0]
	const many = 100 // more than a sender sends in this moment: all are busy when the node stops
	allow(senders, many)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		for _, p := range senders {
			if p.allowed() == many {
				return fmt.Errorf("%s has not begun", p.to.Address)
			}
		}
		return nil
	})
	if err := node.Pause(); err != nil {
		t.Fatal(err)
	}
	hold(t.Context(), 100*time.Millisecond) // all statements in flight get stuck
	s.One.Proc.Signal(syscall.SIGSTOP)
	allow(senders, 0)
	resume := sync.OnceFunc(func() { s.One.Proc.Signal(syscall.SIGCONT) })
	defer resume()
	stopped := time.Now()
	if err := node.Resume(); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		mailbox, content, trash := messages(t, s, "mailbox"), messages(t, s, "content"), messages(t, s, "trash")
		rows, contents = len(mailbox), 0
		for id := range content {
			if !mailbox[id] && !trash[id] {
				contents++
			}
		}
		hold(t.Context(), 200*time.Millisecond)
		if len(messages(t, s, "mailbox")) != len(mailbox) || len(messages(t, s, "content")) != len(content) {
			return errors.New("what was sent is still being written")
		}
		return nil
	})
	for _, p := range senders { // their owners fetch the messages, and floors rise
		rows -= len(p.left())
		for _, name := range p.fetch(t, s, s.Two) { // some senders will not wait for a reply
			s.Deliver(t, s.Two, p.to, name)
			p.sentElsewhere(name)
		}
	}
	hold(t.Context(), time.Until(stopped.Add(window+time.Second)))
	for _, job := range []string{"floor", "reap", "orphans"} {
		t.Log(job, s.RunJob(t, s.Two, job))
	}
	resume()
	return rows, contents
}

// messages returns the messages of a table in dc1.
func messages(t *testing.T, s *sitetest.Sites, table string) map[gocql.UUID]bool {
	t.Helper()
	cql := s.Session(t, s.Datacenter("dc1")[0])
	defer cql.Close()
	ids := map[gocql.UUID]bool{}
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		clear(ids)
		rows := cql.Query(fmt.Sprintf("SELECT message FROM %s.%s", sitetest.Keyspace, table)).Consistency(gocql.One).IterContext(t.Context())
		for id := (gocql.UUID{}); rows.Scan(&id); {
			ids[id] = true
		}
		return rows.Close()
	})
	return ids
}

// patient is a sender who repeats a message until the acknowledgement, and then sends the next. The limit keeps
// a fast sender from filling its maildrop while another sender waits.
type patient struct {
	to servertest.Account

	mu           sync.Mutex
	more         sync.Cond // the limit has changed, or the senders end
	limit        int       // of acknowledged messages
	acknowledged []string
	fetched      map[string]bool
	elsewhere    map[string]bool // acknowledged only by a server not asked first
	putOff       int
}

func newPatient(name string) *patient {
	p := &patient{to: sitetest.Owner(name, 1), fetched: map[string]bool{}, elsewhere: map[string]bool{}}
	p.more.L = &p.mu
	return p
}

// allow lets each sender get n more acknowledgements.
func allow(senders []*patient, n int) {
	for _, p := range senders {
		p.mu.Lock()
		p.limit = len(p.acknowledged) + n
		p.mu.Unlock()
		p.more.Broadcast()
	}
}

// allowed returns the number of messages that the sender may still send.
func (p *patient) allowed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.limit - len(p.acknowledged)
}

// await waits until the sender may send, and reports whether the senders go on.
func (p *patient) await(ctx context.Context) bool {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.more.Broadcast()
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ctx.Err() == nil && len(p.acknowledged) >= p.limit {
		p.more.Wait()
	}
	return ctx.Err() == nil
}

// left returns the acknowledged messages that were not fetched.
func (p *patient) left() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.acknowledged), func(name string) bool { return p.fetched[name] })
}

func (p *patient) send(ctx context.Context, t *testing.T, at *servertest.Server) {
	c := at.LMTPSession(t)
	defer c.Close()
	c.Timeout = sitetest.Limit
	for n := 0; p.await(ctx); n++ {
		name := fmt.Sprint("n", n)
		for !p.try(t, c, name) {
			if t.Failed() {
				return
			}
		}
	}
}

// allElsewhere counts the messages acknowledged only by a server not asked first.
func allElsewhere(senders []*patient) (n int) {
	for _, p := range senders {
		p.mu.Lock()
		n += len(p.elsewhere)
		p.mu.Unlock()
	}
	return n
}

// sentElsewhere records a message acknowledged by a server not asked first.
func (p *patient) sentElsewhere(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acknowledged = append(p.acknowledged, name)
	p.elsewhere[name] = true
}

// try sends a message and reports whether it was acknowledged.
func (p *patient) try(t *testing.T, c *mailtest.Client, name string) bool {
	reply := servertest.TryDeliver(t, c, true, name, []servertest.Account{p.to})[0]
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.HasPrefix(reply, "250 "):
		delete(p.elsewhere, name)
		p.acknowledged = append(p.acknowledged, name)
		return true
	case !strings.HasPrefix(reply, "451 "):
		t.Errorf("%s: %q, want 250 or 451", p.to.Address, reply)
	}
	p.putOff++
	return p.elsewhere[name]
}

// fetch removes the acknowledged messages from the maildrop, and returns the remaining names.
func (p *patient) fetch(t *testing.T, s *sitetest.Sites, at *servertest.Server) (other []string) {
	t.Helper()
	left := p.left()
	mailtest.WaitFor(t, sitetest.Limit, func() error { // until all messages have arrived
		got, refused := s.Look(t, at, p.to)
		if missing := slices.DeleteFunc(slices.Clone(left), func(name string) bool { return slices.Contains(got, name) }); len(missing) > 0 {
			return fmt.Errorf("%s lacks %q %s: %s", p.to.Address, missing, s.Place(at), refused)
		}
		return nil
	})
	c := at.Login(t, p.to)
	defer c.Close()
	for i := range servertest.Listing(t, c, "UIDL") {
		c.Do(fmt.Sprintf("RETR %d", i+1), "+OK")
		if name := servertest.Mark(c.ReadMultiline()); slices.Contains(left, name) {
			c.Do(fmt.Sprintf("DELE %d", i+1), "+OK")
		} else {
			other = append(other, name)
		}
	}
	c.Do("QUIT", "+OK")
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range left {
		p.fetched[name] = true
	}
	return other
}
