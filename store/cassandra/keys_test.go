package cassandra_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/cassandra/murmur"
)

// The keys and tokens that keyload computes are those of the rows that a store writes.
func TestKeysAreTheStored(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	const people = 20
	boxes := map[mail.MailboxID]mail.Address{}
	var names []string
	for i := range people {
		names = append(names, fmt.Sprintf("user%d@example.test", i))
	}
	var now time.Time
	for written := false; !written; { // the removals of all must be in one hour of the trash
		truncate(t, cfg)
		s := reopen(t, cfg)
		now = time.Now()
		for _, a := range accounts(t, s, names...) {
			mb := mail.DeriveMailboxID(a, mail.MessageID{})
			boxes[mb] = a
			gone, kept, today := message(1), message(2), at(now)
			add(t, s, mb, gone, kept)
			addBulk(t, s, mb, now.Add(-time.Hour), today)
			if err := s.RemoveMessages(t.Context(), mb, idsOf(gone)); err != nil {
				t.Fatal(err)
			}
			if err := s.AddRecords(t.Context(), store.JournalAudit, []store.Record{{Key: "a" + a.String(), At: now, ID: [16]byte{1}, Data: []byte("x")}}, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		written = time.Now().Truncate(time.Hour).Equal(now.Truncate(time.Hour))
	}
	us := now.UnixMicro()
	var mailbox, trash, address, journal []int64
	for mb, a := range boxes {
		mailbox = append(mailbox, murmur.Token(cassandra.AppendMailboxKey(nil, mb, us, false)), murmur.Token(cassandra.AppendMailboxKey(nil, mb, us, true)))
		trash = append(trash, murmur.Token(cassandra.AppendTrashKey(nil, cfg.Datacenter, us, mb)))
		address = append(address, murmur.Token(cassandra.AppendAddressKey(nil, a.Domain, a.Local)))
		journal = append(journal, murmur.Token(cassandra.AppendJournalKey(nil, us, "a"+a.String())))
	}
	for table, want := range map[string]struct {
		key    string
		tokens []int64
	}{
		"mailbox": {"mailbox, segment", mailbox},
		"trash":   {"datacenter, hour, shard", trash},
		"address": {"domain, shard", address},
		"audit":   {"day, shard", journal},
		"domain":  {"name", []int64{murmur.Token(cassandra.AppendNameKey(nil, "example.test"))}},
		"server":  {"datacenter", []int64{murmur.Token(cassandra.AppendServerKey(nil, cfg.Datacenter))}},
	} {
		rows := session(t, cfg).Query(fmt.Sprintf("SELECT token(%s) FROM %s.%s", want.key, cfg.Keyspace, table)).Iter()
		var token int64
		var found []int64
		for rows.Scan(&token) {
			found = append(found, token)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		unique := func(list []int64) []int64 { slices.Sort(list); return slices.Compact(list) }
		if found, tokens := unique(found), unique(want.tokens); !slices.Equal(found, tokens) {
			t.Errorf("table %s has the tokens %d, computed were %d", table, found, tokens)
		}
	}
}
