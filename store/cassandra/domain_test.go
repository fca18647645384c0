package cassandra_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Two datacenters add a domain on both sides of a cut. Settings of either side stay, whatever arrives first; settings from
// before a removal stay gone.
func TestDomainAddedTwice(t *testing.T) {
	cfg := config(t)
	s, cql, ctx := open(t, cfg), session(t, cfg), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// arrives makes the statements of the other datacenter, each at its own moment.
	arrives := func(name string, at int64, assignments ...string) {
		t.Helper()
		for _, a := range assignments {
			must(cql.Query("UPDATE "+cfg.Keyspace+".domain USING TIMESTAMP ? SET "+a+" WHERE name = ?", at, name).Exec())
			at++
		}
	}
	timestamp := func(name, column string) (at int64) {
		t.Helper()
		must(cql.Query("SELECT WRITETIME("+column+") FROM "+cfg.Keyspace+".domain WHERE name = ?", name).Scan(&at))
		return at
	}
	want := func(name string, want store.Domain) {
		t.Helper()
		got, err := s.Domain(ctx, name)
		if err != nil || got.Durability != want.Durability || got.Retention != want.Retention || !maps.Equal(got.Settings, want.Settings) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	put := func(name string) {
		t.Helper()
		must(s.PutDomain(ctx, store.Domain{Name: name, Created: time.Now()}))
	}
	change := func(name, setting string) {
		t.Helper()
		must(s.ChangeDomain(ctx, name, store.DomainChange{Settings: map[string]string{setting: "here"}}))
	}
	added := []string{"created = 1, removed = false"}
	settings := []string{"durability = 'each'", "retention = 3600000000", "settings = settings + {'quota': 'there'}, touched = true"}
	there := store.Domain{Durability: mail.DurabilityEach, Retention: mail.Retention(time.Hour), Settings: map[string]string{"quota": "there", "pop3": "here"}}

	for _, name := range []string{"behind.twice.test", "ahead.twice.test"} {
		at := time.Now().Add(-time.Second).UnixMicro()
		if strings.HasPrefix(name, "ahead") {
			at = time.Now().Add(time.Minute).UnixMicro()
		}
		put(name)
		change(name, "pop3")
		want(name, store.Domain{Settings: map[string]string{"pop3": "here"}})
		arrives(name, at, append(added, settings...)...)
		want(name, there)
	}

	// Both datacenters know the removal.
	const again = "again.twice.test"
	put(again)
	durability, retention := mail.DurabilityEach, mail.Retention(24*time.Hour)
	must(s.ChangeDomain(ctx, again, store.DomainChange{Durability: &durability, Retention: &retention, Settings: map[string]string{"old": "x", "quota": "old"}}))
	must(s.RemoveDomain(ctx, again))
	change(again, "late") // of the removed domain
	known := timestamp(again, "touched")
	put(again)
	want(again, store.Domain{})
	change(again, "pop3")
	arrives(again, known+1, append([]string{"durability = '', retention = 0, settings = {}", added[0]}, settings...)...) // PutDomain there
	want(again, there)
	arrives(again, known-1, "settings = settings + {'old': 'y'}") // from before the removal
	want(again, there)

	// PutDomain writes the settings that the domain has.
	all := store.Domain{Name: "all.twice.test", Created: time.Now(), Durability: mail.DurabilityEach, Retention: mail.Retention(time.Hour), Settings: map[string]string{"quota": "1GiB"}}
	for range 2 {
		must(s.PutDomain(ctx, all))
		want(all.Name, all)
		must(s.RemoveDomain(ctx, all.Name))
	}
}
