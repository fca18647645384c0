package account

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

func TestLeastRetention(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	want := func(want mail.Retention) {
		t.Helper()
		if got, err := d.LeastRetention(ctx); err != nil || got != want {
			t.Errorf("least retention %v, %v; want %v", got, err, want)
		}
	}
	learn(t, d)
	want(0)
	if _, err := d.AddDomain(ctx, "second.test"); err != nil {
		t.Fatal(err)
	}
	retention := month
	if _, err := d.ChangeDomain(ctx, "second.test", store.DomainChange{Retention: &retention}); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	want(month)
	a := addAccount(t, d, "alice@example.test", "secret")
	wantErr(t, "for ever", d.SetRetention(ctx, a.Address, mail.Forever), nil)
	_, err := d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "login", err, nil)
	want(month)
	wantErr(t, "a week", d.SetRetention(ctx, a.Address, week), nil)
	want(week)
}
