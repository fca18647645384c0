package pop3server_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"popelago/event"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/storetest"
)

// events collects events, and records them unless fail is set.
type events struct {
	mu   sync.Mutex
	all  []event.Event
	fail error
}

func (e *events) Happened(one event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
}

func (e *events) Record(_ context.Context, one event.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	e.all = append(e.all, one)
	return nil
}

func (e *events) failWith(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = err
}

func (e *events) take() []event.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// kinds lists the kinds of events.
func kinds(all []event.Event) (names []string) {
	for _, e := range all {
		names = append(names, string(e.Kind))
	}
	return names
}

// logInAlice begins a session of alice.
func logInAlice(t *testing.T, f *pop3test.Fixture) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(t, "192.0.2.7"))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	return c
}

func TestEvents(t *testing.T) {
	var got events
	f := pop3test.New(t, openStore(t), pop3server.Config{Events: &got, AllowInsecureAuth: true}, false)
	a, b := f.Add(t, f.Alice, "a: b\r\n\r\none\r\n", "own-id"), f.Add(t, f.Alice, "a: b\r\n\r\ntwo\r\n", "")
	c := logInAlice(t, f)
	for range 2 { // the second time is no new event
		c.Do("RETR 1", "+OK")
		c.ReadMultiline()
	}
	c.Do("TOP 2 0", "+OK")
	c.ReadMultiline()
	c.Do("DELE 1", "+OK")
	c.Do("DELE 2", "+OK")
	c.Do("QUIT", "+OK")
	all := got.take()
	if want := []string{"login", "retrieved", "removed", "removed"}; !slices.Equal(kinds(all), want) {
		t.Fatalf("events %v, want %v", kinds(all), want)
	}
	for _, e := range all {
		if e.Mailbox != f.Alice || e.Address != "alice@example.test" || e.Remote.String() != "192.0.2.7" || e.Protocol != "POP3" || e.Session == "" {
			t.Errorf("event %+v", e)
		}
	}
	if e := all[0]; e.Messages != 2 || e.Size != a.Size+b.Size {
		t.Errorf("login %+v", e)
	}
	if e := all[1]; e.Message != a.ID || e.UIDL != "own-id" || e.Size != a.Size {
		t.Errorf("retrieval %+v", e)
	}
	if e := all[3]; e.Message != b.ID || e.UIDL != "" || e.Cause != "" {
		t.Errorf("removal %+v", e)
	}
}

// A failed login is an event, without the password. A name that is no address may be a password.
func TestEventsOfFailedLogins(t *testing.T) {
	var got events
	f := pop3test.New(t, openStore(t), pop3server.Config{Events: &got, AllowInsecureAuth: true, FailureDelay: -1}, false)
	c := mailtest.NewClient(t, f.Dial(t, "192.0.2.7"))
	c.Expect("+OK")
	for _, name := range []string{"alice", "Nobody@Example.test", "a secret"} {
		c.Do("USER "+name, "+OK")
		c.Do("PASS a guess", "-ERR [AUTH]")
	}
	all := got.take()
	want := []string{"alice@example.test wrong_password", "nobody@example.test unknown_user", " unknown_user"}
	if len(all) != len(want) {
		t.Fatalf("events %+v", all)
	}
	for i, e := range all {
		if e.Kind != event.LoginFailed || e.Address+" "+e.Cause != want[i] || e.Remote.String() != "192.0.2.7" || e.Protocol != "POP3" || e.Session == "" {
			t.Errorf("event %+v, want %s", e, want[i])
		}
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, "guess") || strings.Contains(text, "secret") {
			t.Errorf("the event has a secret: %s", text)
		}
	}
}

// A removal that QUIT could not confirm may have happened: the event says so.
func TestEventOfAFailedRemoval(t *testing.T) {
	var got events
	st := openStore(t)
	f := pop3test.New(t, st, pop3server.Config{}, false)
	f.Add(t, f.Alice, "a: b\r\n\r\none\r\n", "")
	fault := &storetest.Fault{Operation: "RemoveMessages", Lasting: true}
	g := f.On(t, storetest.Faulty(st, fault), pop3server.Config{Events: &got})
	c := mailtest.NewClient(t, g.Dial(t, ""))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	c.Do("DELE 1", "+OK")
	c.Do("QUIT", "-ERR")
	all := got.take()
	if want := []string{"login", "removed"}; !slices.Equal(kinds(all), want) || all[1].Cause == "" {
		t.Errorf("events %+v", all)
	}
}

// Where a record is required, neither a login nor a message is answered without it.
func TestRequiredRecords(t *testing.T) {
	var required, got events
	f := pop3test.New(t, openStore(t), pop3server.Config{Events: &got, Required: &required, AllowInsecureAuth: true}, false)
	f.Add(t, f.Alice, "a: b\r\n\r\none\r\n", "")
	f.Add(t, f.Alice, "a: b\r\n\r\ntwo\r\n", "")

	required.failWith(fmt.Errorf("test: %w", store.ErrUnavailable))
	c := mailtest.NewClient(t, f.Dial(t, "192.0.2.7"))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP]")
	c.Do("STAT", "-ERR")
	required.failWith(nil)
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	for range 2 {
		c.Do("RETR 1", "+OK")
		c.ReadMultiline()
	}
	required.failWith(errors.New("any other error"))
	c.Do("RETR 2", "-ERR [SYS/TEMP]")
	c.Do("RETR 1", "+OK") // recorded before
	c.ReadMultiline()
	c.Do("RETR 3", "-ERR no such message")
	c.Do("QUIT", "+OK")
	if all, want := required.take(), []string{"login", "retrieved"}; !slices.Equal(kinds(all), want) {
		t.Errorf("records %v, want %v", kinds(all), want)
	}
	if all := got.take(); len(all) != 0 {
		t.Errorf("the listener got %v too", strings.Join(kinds(all), ", "))
	}
}
