package account

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

func TestSetRetention(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "secret")
	const day = mail.Retention(24 * time.Hour)
	for _, c := range []struct{ set, want mail.Retention }{
		{90 * day, 90 * day}, {mail.Retention(time.Hour), mail.Retention(time.Hour)}, {day + 1, day}, {-5, mail.Forever}, {0, 0},
	} {
		wantErr(t, "set", d.SetRetention(ctx, addr(t, "Alice@example.test"), c.set), nil)
		got, err := d.Account(ctx, a.Address)
		if err != nil || got.Retention != c.want {
			t.Errorf("%v: %+v, %v", c.set, got, err)
		}
	}
	wantErr(t, "too short", d.SetRetention(ctx, a.Address, mail.Retention(time.Hour-1)), ErrBadSetting)
	wantErr(t, "nobody", d.SetRetention(ctx, addr(t, "bob@example.test"), day), ErrNoSuchAccount)
	wantErr(t, "no address", d.SetRetention(ctx, mail.Address{}, day), mail.ErrBadAddress)
}

func TestChangeDomain(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	addAccount(t, d, "alice@example.test", "secret")
	durability := func(s mail.Durability) store.DomainChange { return store.DomainChange{Durability: &s} }
	retention := func(r mail.Retention) store.DomainChange { return store.DomainChange{Retention: &r} }
	const day = mail.Retention(24 * time.Hour)
	for _, c := range []struct {
		change store.DomainChange
		want   store.Domain
	}{
		{durability(mail.DurabilityEach), store.Domain{Durability: mail.DurabilityEach}},
		{retention(90 * day), store.Domain{Durability: mail.DurabilityEach, Retention: 90 * day}},
		{durability(""), store.Domain{Retention: 90 * day}},
		{retention(-1), store.Domain{}},
		{store.DomainChange{}, store.Domain{}},
	} {
		// The cached row counts no more.
		if _, err := d.Resolve(ctx, addr(t, "alice@example.test")); err != nil {
			t.Fatal(err)
		}
		got, err := d.ChangeDomain(ctx, "EXAMPLE.test", c.change)
		c.want.Name, c.want.Created = got.Name, got.Created
		if err != nil || !reflect.DeepEqual(got, c.want) || got.Name != "example.test" {
			t.Errorf("got %+v, %v; want %+v", got, err, c.want)
		}
		if read, err := d.Domain(ctx, "example.test"); err != nil || !reflect.DeepEqual(read, got) {
			t.Errorf("it is %+v, %v; want %+v", read, err, got)
		}
		r, err := d.Resolve(ctx, addr(t, "alice@example.test"))
		if err != nil || r.Durability.Each() != (got.Durability == mail.DurabilityEach) {
			t.Errorf("mail is resolved to %+v, %v", r, err)
		}
		l, err := d.Authenticate(ctx, "alice@example.test", "secret")
		if err != nil || l.Retention != got.Retention {
			t.Errorf("a login has %+v, %v", l, err)
		}
	}
	_, err := d.ChangeDomain(ctx, "example.test", durability("everywhere"))
	wantErr(t, "durability", err, ErrBadSetting)
	_, err = d.ChangeDomain(ctx, "example.test", retention(mail.Retention(time.Minute)))
	wantErr(t, "retention", err, ErrBadSetting)
	_, err = d.ChangeDomain(ctx, "elsewhere.example", retention(day))
	wantErr(t, "elsewhere", err, ErrNoSuchDomain)
	_, err = d.ChangeDomain(ctx, "not a domain", retention(day))
	wantErr(t, "no domain", err, mail.ErrBadAddress)
}

// unreachable is the level Each while a datacenter cannot be reached.
type unreachable struct{ store.Directory }

func (unreachable) ChangeDomain(context.Context, string, store.DomainChange) error {
	return fmt.Errorf("another datacenter: %w", store.ErrUnavailable)
}

// While a datacenter is away a domain's durability can be lowered, but not raised.
func TestChangeDomainWhileCutOff(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	each, local := mail.DurabilityEach, mail.DurabilityLocal
	_, err := d.ChangeDomain(ctx, "example.test", store.DomainChange{Durability: &each})
	wantErr(t, "each", err, nil)
	d.store.Each, d.store.Several = unreachable{d.store.Local}, true
	long := mail.Retention(1000 * time.Hour)
	_, err = d.ChangeDomain(ctx, "example.test", store.DomainChange{Retention: &long})
	wantErr(t, "retention at each", err, store.ErrUnavailable)
	_, err = d.ChangeDomain(ctx, "example.test", store.DomainChange{Durability: &local})
	wantErr(t, "local", err, nil)
	_, err = d.ChangeDomain(ctx, "example.test", store.DomainChange{Durability: &each})
	wantErr(t, "each again", err, store.ErrUnavailable)
	if got, err := d.Domain(ctx, "example.test"); err != nil || got.Durability != local || got.Retention != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
