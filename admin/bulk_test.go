package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// bulky is a directory with bulk mailboxes; err is the error of SetBulk.
type bulky struct {
	store.Directory
	since time.Time
	err   error
}

func (s *bulky) SetBulk(context.Context, mail.MailboxID) (time.Time, error) { return s.since, s.err }

func TestBulk(t *testing.T) {
	since := time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC()
	st := &bulky{since: since, err: store.ErrUnavailable}
	f := &fixture{wrap: func(engine store.Store) store.Store {
		st.Directory = engine.Directory.Local
		return storetest.WithDirectory(engine, st)
	}}
	c := f.start(t).unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"alice@example.org", "bob@example.org"} {
		if _, err := c.AddAccount(ctx, address, "secret1"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.SetBulk(ctx, "alice@example.org")
	wantStatus(t, "while the store is away", err, http.StatusServiceUnavailable, "in the server's log")
	st.err = nil
	for range 2 {
		if b, err := c.SetBulk(ctx, "Alice@example.org"); err != nil || !b.Since.Equal(since) {
			t.Errorf("%+v, %v; want %v", b, err, since)
		}
		if a, err := c.Account(ctx, "alice@example.org"); err != nil || a.Bulk == nil || !a.Bulk.Equal(since) {
			t.Errorf("%+v, %v; want it bulk since %v", a, err, since)
		}
		st.since = since.Add(time.Hour) // Bulk stays as first set
	}
	if a, err := c.Account(ctx, "bob@example.org"); err != nil || a.Bulk != nil {
		t.Errorf("another account: %+v, %v", a, err)
	}
	_, err = c.SetBulk(ctx, "nobody@example.org")
	wantStatus(t, "nobody", err, http.StatusNotFound, "no such account")
	_, err = c.SetBulk(ctx, "alice")
	wantStatus(t, "no address", err, http.StatusBadRequest, "no @")
	if !strings.Contains(f.log.String(), "account made bulk") {
		t.Errorf("the log does not tell:\n%s", f.log)
	}
}

func TestNoBulk(t *testing.T) {
	c := new(fixture).start(t).unix(t)
	if _, err := c.AddDomain(t.Context(), "example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(t.Context(), "alice@example.org", "secret1"); err != nil {
		t.Fatal(err)
	}
	_, err := c.SetBulk(t.Context(), "alice@example.org")
	wantStatus(t, "an engine without bulk mailboxes", err, http.StatusConflict, "the storage engine has no bulk mailboxes")
	if a, err := c.Account(t.Context(), "alice@example.org"); err != nil || a.Bulk != nil {
		t.Errorf("then: %+v, %v", a, err)
	}
}
