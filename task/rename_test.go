package task_test

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// A renamed account keeps its mail: no job takes the old address for the end of the mailbox, neither when the
// old address gets another owner, nor when a rename that stopped half way leaves two accounts with one mailbox.
func TestRenamedAccountKeepsItsMail(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	ids := mail.NewIDSource(nil)
	ann := newAccount(t, dir, "ann")
	add(t, st, ids, ann.Mailbox)
	to := mail.Address{Local: "anna", Domain: "example.test"}
	if _, err := dir.Rename(t.Context(), ann.Address, to); err != nil {
		t.Fatal(err)
	}
	if err := dir.RemoveAlias(t.Context(), ann.Address, store.KindAlias); err != nil {
		t.Fatal(err)
	}
	next := newAccount(t, dir, "ann")
	add(t, st, ids, next.Mailbox)
	removeAccount(t, dir, next)
	now := time.Now().Add(48 * time.Hour)
	purge := task.Purge(task.PurgeConfig{Now: func() time.Time { return now }}, dir, store.Single(st), nil)
	late := task.NewLate(dir, store.Single(st), nil, nil)
	run(t, purge)
	if own, others := count(t, st, ann.Mailbox), count(t, st, next.Mailbox); own != 1 || others != 0 {
		t.Errorf("%d messages of the renamed account, and %d of the removed one; want 1 and 0", own, others)
	}
	// The rename stops before its last write, and the administrator removes the old account.
	bob := newAccount(t, dir, "bob")
	add(t, st, ids, bob.Mailbox)
	half := mail.Address{Local: "robert", Domain: "example.test"}
	kind, origin, first := store.KindAccount, store.Origin{Address: bob.Address}, mail.MessageID{}
	alias := store.KindAlias
	for _, change := range []struct {
		address    mail.Address
		generation mail.MessageID
		c          store.AddressChange
	}{
		{bob.Address, first.Sibling(1), store.AddressChange{Kind: &alias, AddTargets: []mail.Address{half}}},
		{half, first, store.AddressChange{Kind: &kind, Origin: &origin}},
	} {
		if err := st.ChangeAddress(t.Context(), change.address, change.generation, change.c); err != nil {
			t.Fatal(err)
		}
	}
	for _, remove := range []mail.Address{bob.Address, half} {
		if err := dir.RemoveAccount(t.Context(), remove); err != nil {
			t.Fatal(err)
		}
		add(t, st, ids, bob.Mailbox)
		list, _, err := late.List(t.Context(), remove, "", 10)
		now = now.Add(48 * time.Hour) // each run reads all mailboxes
		run(t, purge)
		n := count(t, st, bob.Mailbox)
		if remove == bob.Address && (n != 2 || len(list) != 0 || err != nil) {
			t.Errorf("one of two accounts is removed: %d messages, late %+v, %v; want 2 and no late mail", n, list, err)
		}
		if remove == half && (n != 0 || len(list) != 1 || err != nil) {
			t.Errorf("both are removed: %d messages, late %+v, %v; want none, after one late message", n, list, err)
		}
	}
	if a, err := dir.Account(t.Context(), to); err != nil || a.Mailbox != ann.Mailbox || count(t, st, ann.Mailbox) != 1 {
		t.Errorf("the renamed account: %+v, %v", a, err)
	}
}
