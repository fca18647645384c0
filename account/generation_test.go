package account

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// The status of the generations of an address is independent of the order of the rows.
func TestGenerationStatus(t *testing.T) {
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	id := func(hours int) mail.MessageID { return mail.MinMessageID(start.Add(time.Duration(hours) * time.Hour)) }
	const week, month = mail.Retention(7 * 24 * time.Hour), mail.Retention(30 * 24 * time.Hour)
	first := mail.MessageID{}
	type row struct {
		generation, removed mail.MessageID
		made                bool
		retention           mail.Retention
		want                Status
		end                 mail.MessageID
		inForce             mail.Retention
	}
	for name, test := range map[string]struct {
		rows   []row
		domain mail.Retention
	}{
		"no row":              {},
		"one account":         {rows: []row{{made: true, want: Live}}},
		"a row without kind":  {rows: []row{{want: Unmade}}},
		"removed":             {rows: []row{{made: true, removed: id(1), want: Ended, end: id(1)}}},
		"removed before made": {rows: []row{{removed: id(1), want: Ended, end: id(1)}}},
		"made again": {rows: []row{
			{made: true, removed: id(1), want: Ended, end: id(1)}, {generation: id(1), made: true, want: Live},
		}},
		"made again, not arrived": {rows: []row{
			{made: true, removed: id(1), want: Ended, end: id(1)}, {generation: id(1), want: Unmade},
		}},
		"two made": {rows: []row{
			{made: true, want: Displaced, end: id(1)}, {generation: id(1), made: true, want: Live},
		}},
		"the newer of two removed": {rows: []row{
			{made: true, want: Live}, {generation: id(1), made: true, removed: id(2), want: Ended, end: id(2)},
		}},
		"the newer of two not made": {rows: []row{{made: true, want: Live}, {generation: id(1), want: Unmade}}},
		"three made": {rows: []row{
			{made: true, want: Displaced, end: id(3)}, {generation: id(1), made: true, want: Displaced, end: id(3)},
			{generation: id(2), removed: id(5), made: true, want: Ended, end: id(5)}, {generation: id(3), made: true, want: Live},
		}},
		"all removed": {rows: []row{
			{made: true, removed: id(1), want: Ended, end: id(1)}, {generation: id(1), made: true, removed: id(1), want: Ended, end: id(1)},
		}},
		"retention of its own": {
			rows:   []row{{made: true, retention: week, want: Live, inForce: week}},
			domain: month,
		},
		"retention of the domain": {
			rows: []row{
				{made: true, removed: id(1), retention: week, want: Ended, end: id(1), inForce: week},
				{generation: id(1), made: true, want: Live, inForce: month},
			},
			domain: month,
		},
		"for ever in a domain with a retention": {
			rows:   []row{{made: true, retention: mail.Forever, want: Live, inForce: mail.Forever}},
			domain: month,
		},
	} {
		want := test.rows
		for range 4 { // orders
			rows := make([]store.Address, len(want))
			for i, r := range want {
				rows[i] = store.Address{
					Address: mail.Address{Local: "alice", Domain: "example.test"}, Generation: r.generation, Removed: r.removed, Retention: r.retention,
				}
				if r.made {
					rows[i].Kind = store.KindAccount
				}
			}
			for i, got := range Generations(rows, Policy{}.Keeping(store.Domain{Retention: test.domain})) {
				mailbox := mail.DeriveMailboxID(rows[i].Address, want[i].generation)
				if got.Status != want[i].want || got.End != want[i].end || got.Retention != want[i].inForce || got.Mailbox != mailbox || !reflect.DeepEqual(got.Row, rows[i]) {
					t.Errorf("%s: generation %d of %v is %+v, want %s, end %v, retention %v", name, i, want, got, want[i].want, want[i].end, want[i].inForce)
				}
				late := first
				if got.Status == Ended {
					late = got.End
				}
				if got.LateBehind() != late {
					t.Errorf("%s: late mail of generation %d is behind %v", name, i, got.LateBehind())
				}
				// The account in directory operations.
				if e := entryOf(rows); got.Status == Live && (e == nil || e.mailbox != mailbox) || e == nil && got.Status == Displaced {
					t.Errorf("%s: the account is %+v, generation %d %s", name, e, i, got.Status)
				}
			}
			want = slices.Clone(want)
			rand.Shuffle(len(want), func(i, j int) { want[i], want[j] = want[j], want[i] })
		}
	}
}

// Only the account keeps mail, and only as long as its retention says.
func TestGenerationKeeps(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	old, young := mail.MinMessageID(now.Add(-8*24*time.Hour)), mail.MinMessageID(now.Add(-6*24*time.Hour))
	const week = mail.Retention(7 * 24 * time.Hour)
	for _, test := range []struct {
		status     Status
		retention  mail.Retention
		old, young bool
	}{
		{Live, mail.AsDomain, true, true}, {Live, mail.Forever, true, true}, {Live, week, false, true},
		{Ended, mail.Forever, false, false}, {Displaced, mail.Forever, false, false}, {Unmade, mail.Forever, false, false},
	} {
		g := Generation{Status: test.status, Retention: test.retention}
		if got := g.Keeps(old, now); got != test.old {
			t.Errorf("%s with retention %v keeps an old message: %t", test.status, test.retention, got)
		}
		if got := g.Keeps(young, now); got != test.young {
			t.Errorf("%s with retention %v keeps a young message: %t", test.status, test.retention, got)
		}
	}
}
