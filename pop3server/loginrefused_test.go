package pop3server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/store/storetest"
)

// refusing is a store that may refuse to look up addresses.
type refusing struct {
	store.Directory
	err error // nil: not refused
}

func (r *refusing) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r.Directory.AddressRows(ctx, a)
}

// loginServer starts a server with the account alice, and returns a function that connects from
// 192.0.2.1.
func loginServer(t *testing.T, st store.Store, cfg account.Config) func() *mailtest.Client {
	t.Helper()
	cfg.DefaultDomain, cfg.Argon2Memory, cfg.Argon2Time = "example.test", 64, 1
	cfg.CacheTTL, cfg.CredentialTTL = -1, -1
	dir, err := account.New(cfg, st.Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.AddAccount(t.Context(), mail.Address{Local: "alice", Domain: "example.test"}, pop3test.Password); err != nil {
		t.Fatal(err)
	}
	srv, err := pop3server.New(pop3server.Config{AllowInsecureAuth: true, FailureDelay: -1, MaxFailedLogins: 100}, dir, st.Mail, nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() *mailtest.Client {
		client, server := mailtest.Pipe("192.0.2.1")
		done := make(chan struct{})
		go func() {
			defer close(done)
			srv.ServeConn(server)
		}()
		t.Cleanup(func() {
			client.Close()
			<-done
		})
		c := mailtest.NewClient(t, client)
		c.Expect("+OK")
		return c
	}
}

// TestHeldBackLogin: after too many failed logins from a network the server does not check a password.
// The response does not call the password wrong, and the session goes on.
func TestHeldBackLogin(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	connect := loginServer(t, openStore(t), account.Config{
		PenaltyAfter: 1, PenaltyMax: time.Hour, PenaltyHalfLife: 24 * time.Hour, Now: func() time.Time { return now },
	})
	c := connect()
	for i := range 8 {
		now = now.Add(time.Hour) // all pauses have passed
		c.Do("USER alice", "+OK")
		c.Do(fmt.Sprintf("PASS wrong %d", i), "-ERR [AUTH] ")
	}
	for _, c := range []*mailtest.Client{c, connect()} {
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP] too many failed logins from your network, try again later")
		c.Do("CAPA", "+OK")
		for c.Line() != "." {
		}
	}
	now = now.Add(time.Hour)
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
}

// TestBusyLogin: while too many logins wait, the response to a further login says so.
func TestBusyLogin(t *testing.T) {
	engine := openStore(t)
	st := &refusing{Directory: engine.Directory.Local}
	c := loginServer(t, storetest.WithDirectory(engine, st), account.Config{})()
	st.err = fmt.Errorf("the queue is full: %w", account.ErrBusy)
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP] too many logins at once, try again later")
	st.err = nil
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
}

// TestLoginFaults: a session asks a store that fails a bounded number of times. The last response is a fault, too, and no
// login counts as a guess.
func TestLoginFaults(t *testing.T) {
	engine := openStore(t)
	st := &refusing{Directory: engine.Directory.Local}
	connect := loginServer(t, storetest.WithDirectory(engine, st), account.Config{PenaltyAfter: 1, PenaltyMax: time.Hour, PenaltyHalfLife: 24 * time.Hour})
	c := connect()
	st.err = store.ErrUnavailable
	for range pop3server.DefaultConfig().MaxHarmlessCommands + 1 {
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP] ")
	}
	c.ExpectEOF()
	c = connect()
	st.err = nil
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
}
