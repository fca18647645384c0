package datacenters

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// undelete is an account with messages that were removed before a cut.
type undelete struct {
	servertest.Account
	unique []string // of the messages, in order
}

// removeBeforeCut makes an account on a server, with two messages or more that are removed again.
func removeBeforeCut(t *testing.T, s *servertest.Server) *undelete {
	t.Helper()
	u := &undelete{Account: s.Account(t, "undelete")}
	for n := range 2 {
		mailtest.WaitFor(t, sitetest.Limit, func() error { // a busy machine is no fault
			if reply := deliver(t, s, u.Account, 1000+n); reply[:4] != "250 " {
				return fmt.Errorf("message %d: %s", n, reply)
			}
			return nil
		})
	}
	u.unique = uniqueIDs(t, s, u.Account)
	admin := s.Admin()
	defer admin.Close()
	r, err := admin.RemoveMessages(servertest.Deadline(t, sitetest.Limit), u.Address, adminclient.MaildropRemoval{All: true})
	if err != nil || r.Messages != len(u.unique) {
		t.Fatalf("%+v, %v", r, err)
	}
	return u
}

// duringCut restores the messages at a server that may fall back to its datacenter, and sees at the other
// datacenter what it cannot know.
func (u *undelete) duringCut(t *testing.T, falls, other *servertest.Server) {
	t.Helper()
	admin := falls.Admin()
	defer admin.Close()
	r, err := admin.Restore(servertest.Deadline(t, sitetest.Limit), u.Address, adminclient.RestoreRequest{All: true})
	if err != nil || r.Messages != len(u.unique) || !r.Partial {
		t.Errorf("restored during the cut: %+v, %v", r, err)
	}
	if got := uniqueIDs(t, falls, u.Account); !slices.Equal(got, u.unique) {
		t.Errorf("unique-ids after the restore: %q, want %q", got, u.unique)
	}
	there := other.Admin()
	defer there.Close()
	list, err := there.RemovedMessages(servertest.Deadline(t, sitetest.Limit), u.Address, time.Time{}, "", 0)
	if err != nil || len(list.Messages) != len(u.unique) || !list.Partial {
		t.Errorf("removed, at the other datacenter: %+v, %v", list, err)
	}
}

// afterCut restores once more at the other datacenter: whatever it has seen by then, each message is
// listed once.
func (u *undelete) afterCut(t *testing.T, servers ...*servertest.Server) {
	t.Helper()
	admin := servers[0].Admin()
	defer admin.Close()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		r, err := admin.Restore(servertest.Deadline(t, sitetest.Limit), u.Address, adminclient.RestoreRequest{All: true})
		if err == nil && (r.Partial || r.Messages > 0) {
			err = fmt.Errorf("with the line mended: %+v", r)
		}
		return err
	})
	for _, s := range servers {
		mailtest.WaitFor(t, sitetest.Limit, func() error {
			if got := uniqueIDs(t, s, u.Account); !slices.Equal(got, u.unique) {
				return fmt.Errorf("unique-ids %q, want %q", got, u.unique)
			}
			return nil
		})
	}
}

// uniqueIDs returns the unique-ids of a maildrop, in order.
func uniqueIDs(t *testing.T, s *servertest.Server, a servertest.Account) (ids []string) {
	t.Helper()
	for _, m := range s.Maildrop(t, a) {
		ids = append(ids, m.UIDL)
	}
	return ids
}
