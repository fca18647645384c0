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

// severed is the mail of all datacenters together, which cannot be reached for removals while down
// is set.
type severed struct {
	store.Mail
	down bool
}

func (v *severed) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	if v.down {
		return store.ErrUnavailable
	}
	return v.Mail.RemoveListed(ctx, mailbox, rows)
}

// The response to QUIT says that a removal reached the local datacenter only, although the domain asks
// for every datacenter.
func TestQuitSaysThatARemovalIsLocalOnly(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 3)
	durability := mail.DurabilityEachOrLocal
	if _, err := outside.Directory.ChangeDomain(t.Context(), "example.test", store.DomainChange{Durability: &durability}); err != nil {
		t.Fatal(err)
	}
	st := outside.Store
	each := &severed{Mail: st.Mail.Local, down: true}
	st.Mail.Each, st.Mail.Several = each, true
	f := outside.On(t, st, pop3server.Config{})
	for _, tt := range []struct {
		down bool
		want string
	}{
		{true, "+OK bye, removed in the local datacenter only: another cannot be reached"},
		{false, "+OK bye"},
	} {
		each.down = tt.down
		c := mailtest.NewClient(t, f.Dial(t, ""))
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
