package pop3server_test

import (
	"context"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// severed is a store whose other datacenters cannot be reached for removals while down is set.
type severed struct {
	store.Store
	each *severedView
}

func (s *severed) At(level store.Level) store.Store {
	if level == store.LevelEach {
		return s.each
	}
	return s
}

// severedView is the view of a severed store at store.LevelEach.
type severedView struct {
	store.Store
	down bool
}

func (v *severedView) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	if v.down {
		return store.ErrUnavailable
	}
	return v.Store.RemoveMessages(ctx, mailbox, ids)
}

// The response to QUIT says that a removal went no further than the local datacenter, although
// the domain asks for every datacenter.
func TestQuitSaysThatARemovalIsLocalOnly(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 3)
	durability := store.DurabilityEachOrLocal
	if _, err := outside.Directory.ChangeDomain(t.Context(), "example.test", store.DomainChange{Durability: &durability}); err != nil {
		t.Fatal(err)
	}
	each := &severedView{Store: outside.Store, down: true}
	f := outside.On(t, &severed{Store: outside.Store, each: each}, pop3server.Config{})
	for _, tt := range []struct {
		down bool
		want string
	}{
		{true, "+OK bye, removed in the local datacenter only: another cannot be reached"},
		{false, "+OK bye"},
	} {
		each.down = tt.down
		c := mailtest.NewClient(t, f.Dial(""))
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK")
		c.Do("DELE 1", "+OK")
		if got := c.Do("QUIT", "+OK"); got != tt.want {
			t.Errorf("down %v: QUIT: %q, want %q", tt.down, got, tt.want)
		}
	}
	checkLeft(t, outside, "third!~")
}
