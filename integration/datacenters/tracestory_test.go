package datacenters

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// traceAcross: the trace and the audit of an account have the events of both datacenters, at both. Behind a cut
// an answer says that it is partial; after the cut no event is missing.
func traceAcross() *story {
	a := sitetest.Owner("traced", 1)
	return &story{
		name: "trace across",
		whole: func(t *testing.T, s *sitetest.Sites) {
			s.Known(t, a, "from-dc1", "from-dc2")
			for _, at := range s.Both() {
				traced(t, s, at, a, "accepted dc1", "accepted dc2", "login dc1", "login dc2", "retrieved dc1", "retrieved dc2")
			}
		},
		cut: func(t *testing.T, s *sitetest.Sites) {
			s.Deliver(t, s.One, a, "behind-the-cut")
			mailtest.WaitFor(t, sitetest.Limit, func() error { // the other datacenter looks away after a moment
				list, err := traceOf(t, s.Two, a)
				if err == nil && !list.Partial {
					err = fmt.Errorf("behind the cut an answer of %d events is not partial", len(list.Events))
				}
				return err
			})
		},
		in: func(t *testing.T, s *sitetest.Sites) {
			for _, at := range s.Both() {
				mailtest.WaitFor(t, sitetest.Limit, func() error {
					list, err := traceOf(t, at, a)
					if n := count(list, "accepted dc1"); err == nil && (n != 2 || list.Partial) {
						err = fmt.Errorf("%d messages of dc1, partial %v, %s", n, list.Partial, s.Place(at))
					}
					return err
				})
				s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
					list, err := admin.Audit(ctx, adminclient.EventQuery{Subject: a.Address})
					if err == nil && count(list, "change dc1") == 0 {
						err = fmt.Errorf("the audit lacks the making of the account %s", s.Place(at))
					}
					return err
				})
			}
		},
	}
}

// traceOf asks a server for the trace of an account.
func traceOf(t *testing.T, at *servertest.Server, a servertest.Account) (adminclient.EventList, error) {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	return admin.Trace(servertest.Deadline(t, sitetest.Limit), adminclient.EventQuery{Subject: a.Address, As: "address", Limit: 1000})
}

// count counts the events of a kind and a datacenter, such as "accepted dc1".
func count(list adminclient.EventList, what string) (n int) {
	for _, e := range list.Events {
		if e.Kind+" "+e.Datacenter == what {
			n++
		}
	}
	return n
}

// traced waits until the trace of an account has events of each kind and datacenter, and is not partial.
func traced(t *testing.T, s *sitetest.Sites, at *servertest.Server, a servertest.Account, wanted ...string) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		list, err := traceOf(t, at, a)
		lacking := func(what string) bool { return count(list, what) == 0 }
		if err == nil && (list.Partial || slices.ContainsFunc(wanted, lacking)) {
			err = fmt.Errorf("the trace has %d events, partial %v, %s; want %q", len(list.Events), list.Partial, s.Place(at), wanted)
		}
		return err
	})
}
