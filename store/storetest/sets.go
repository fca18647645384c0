package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

// setCases check the sets of the directory: targets, and settings with a name.
var setCases = []testCase{
	{"targets", func(e *env) {
		a := mail.Address{Local: "team", Domain: "example.test"}
		want := store.Address{Address: a, Kind: "group", Targets: sortedTargets(awkward)}
		e.change(a, mail.MessageID{}, store.AddressChange{Kind: &want.Kind, AddTargets: awkward})
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{AddTargets: awkward[:2], RemoveTargets: awkward[2:]})
		want.Targets = sortedTargets(awkward[:2])
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{RemoveTargets: awkward})
		want.Targets = nil
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{AddTargets: awkward[1:2]})
		want.Targets = awkward[1:2]
		e.wantRows(a, want)
	}},
	{"settings of an address", func(e *env) {
		a := mail.Address{Local: "alice", Domain: "example.test"}
		want := store.Address{Address: a, Kind: store.KindAccount, Settings: awkwardSettings()}
		e.change(a, mail.MessageID{}, store.AddressChange{Kind: &want.Kind, Settings: want.Settings})
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{Settings: map[string]string{"a": "other", "ab": "", "none": ""}})
		want.Settings = awkwardSettings()
		want.Settings["a"] = "other"
		delete(want.Settings, "ab")
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{Settings: removals(want.Settings)})
		want.Settings = nil
		e.wantRows(a, want)
		e.change(a, mail.MessageID{}, store.AddressChange{Settings: map[string]string{"a": "again"}})
		want.Settings = map[string]string{"a": "again"}
		e.wantRows(a, want)
	}},
	{"origin", func(e *env) {
		for i, origin := range []store.Origin{{Address: awkward[5]}, {Address: awkward[6], Generation: e.ids.Next()}, {Address: awkward[8]}} {
			a := mail.Address{Local: fmt.Sprint("alice", i), Domain: "example.test"}
			want := store.Address{Address: a, Generation: e.ids.Next(), Kind: store.KindAccount, Origin: origin}
			e.change(a, want.Generation, store.AddressChange{Kind: &want.Kind, Origin: &want.Origin})
			e.change(a, want.Generation, store.AddressChange{State: &want.State})
			e.wantRows(a, want)
			if got := e.listAddresses("example.test", 5); len(got) != i+1 || got[i].Mailbox() == (store.Address{}).Mailbox() {
				e.Errorf("ListAddresses: %+v", got)
			}
		}
	}},
	{"a new generation begins empty", func(e *env) {
		a, target := mail.Address{Local: "alice", Domain: "example.test"}, mail.Address{Local: "bob", Domain: "example.test"}
		first := store.Address{Address: a, Kind: "alias", Targets: []mail.Address{target}, Settings: map[string]string{"a": "b"}, Removed: e.ids.Next()}
		e.change(a, first.Generation, store.AddressChange{Kind: &first.Kind, AddTargets: first.Targets, Settings: first.Settings, Removed: &first.Removed})
		second := store.Address{Address: a, Generation: first.Removed, Kind: store.KindAccount}
		e.change(a, second.Generation, store.AddressChange{Kind: &second.Kind})
		e.wantRows(a, first, second)
		if got := e.listAddresses(a.Domain, 1); !slices.EqualFunc(got, []store.Address{first, second}, sameAddress) {
			e.Fatalf("ListAddresses: %+v", got)
		}
	}},
	{"concurrent changes of one address", func(e *env) {
		a := mail.Address{Local: "team", Domain: "example.test"}
		target := func(i int) mail.Address {
			return mail.Address{Local: fmt.Sprintf("member%02d", i), Domain: "example.test"}
		}
		want := store.Address{Address: a, Kind: "group", Settings: map[string]string{}}
		var old []mail.Address
		for i := range 8 {
			old = append(old, target(i))
		}
		e.change(a, mail.MessageID{}, store.AddressChange{Kind: &want.Kind, AddTargets: old})
		var wg sync.WaitGroup
		for i := range 8 {
			name := fmt.Sprintf("setting%d", i)
			want.Targets, want.Settings[name] = append(want.Targets, target(i+10)), fmt.Sprint(i)
			for _, c := range []store.AddressChange{
				{RemoveTargets: []mail.Address{target(i)}}, {AddTargets: []mail.Address{target(i + 10)}}, {Settings: map[string]string{name: fmt.Sprint(i)}},
			} {
				wg.Go(func() {
					if err := e.ChangeAddress(e.ctx, a, mail.MessageID{}, c); err != nil {
						e.Errorf("ChangeAddress: %v", err)
					}
				})
			}
		}
		wg.Wait()
		e.wantRows(a, want)
	}},
	{"settings of a domain", func(e *env) {
		d := store.Domain{Name: "a.test", Created: time.Unix(1, 0).UTC(), Settings: awkwardSettings()}
		other := store.Domain{Name: "a.test.org", Created: time.Unix(2, 0).UTC()}
		put := func(d store.Domain) {
			e.Helper()
			if err := e.PutDomain(e.ctx, d); err != nil {
				e.Fatalf("PutDomain: %v", err)
			}
		}
		change := func(c store.DomainChange) {
			e.Helper()
			if err := e.ChangeDomain(e.ctx, d.Name, c); err != nil {
				e.Fatalf("ChangeDomain: %v", err)
			}
		}
		put(d)
		put(other)
		e.wantDomains(d, other)
		change(store.DomainChange{Retention: ptr(mail.Retention(time.Hour)), Settings: map[string]string{"a": "other", "ab": "", "none": ""}})
		d.Retention, d.Settings = mail.Retention(time.Hour), awkwardSettings()
		d.Settings["a"] = "other"
		delete(d.Settings, "ab")
		e.wantDomains(d, other)
		var wg sync.WaitGroup
		for name := range d.Settings {
			wg.Go(func() { change(store.DomainChange{Settings: map[string]string{name: ""}}) })
		}
		for i := range 5 {
			wg.Go(func() { change(store.DomainChange{Settings: map[string]string{fmt.Sprint(i): "new"}}) })
		}
		wg.Wait()
		d.Settings = map[string]string{"0": "new", "1": "new", "2": "new", "3": "new", "4": "new"}
		e.wantDomains(d, other)
		// A domain that was removed begins again without its settings.
		if err := e.RemoveDomain(e.ctx, d.Name); err != nil {
			e.Fatalf("RemoveDomain: %v", err)
		}
		change(store.DomainChange{Settings: map[string]string{"of a removed domain": "x"}})
		e.wantDomains(other)
		d.Retention, d.Settings = 0, nil
		put(d)
		e.wantDomains(d, other)
		d.Settings = map[string]string{"0": "again"}
		change(store.DomainChange{Settings: d.Settings})
		e.wantDomains(d, other)
	}},
}

func sortedTargets(targets []mail.Address) []mail.Address {
	return slices.SortedFunc(slices.Values(targets), store.CompareTargets)
}

// awkwardSettings returns settings with names and values that look alike, are prefixes of each other or
// hold what separates keys.
func awkwardSettings() map[string]string {
	return map[string]string{
		"a": "1", "ab": "a", "a b": " ", "a\x00": "\x00", "a\x00\x01": "{'a': 'b'}", "a\xFF": "\xFF\xFE", "jörg": "日本", "%2F": `"quoted" <b>`,
		"long": strings.Repeat("x", 10_000),
	}
}

// removals returns the change that removes all of some settings.
func removals(settings map[string]string) map[string]string {
	change := maps.Clone(settings)
	for name := range change {
		change[name] = ""
	}
	return change
}
