package admin

import (
	"context"
	"errors"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
)

// PartialQuery is the part of the query of a list that permits the list to lack parts. PartialQuery is exported because huma fills
// only exported embedded fields.
type PartialQuery struct {
	Partial bool `query:"partial" doc:"Go on behind parts that cannot be read because nodes of the cluster do not answer, and name the parts in unread. Without it such a list fails (503)."`
}

// unreadOf returns the names of the parts that a list lacks, from the error beside the list. Any other error stays.
func (a *api) unreadOf(q PartialQuery, err error) ([]string, error) {
	var parts *account.UnreadParts
	var unread []string
	switch {
	case err == nil:
		return nil, nil
	case !q.Partial:
		return nil, err
	case errors.As(err, &parts):
		unread = parts.Names
	case errors.Is(err, account.ErrSomeDomains):
		unread = []string{"a part of the domains"}
	default:
		return nil, err
	}
	a.logger.Warn("a list lacks parts that cannot be read", "parts", len(unread), "first", unread[0], "cause", err)
	return unread, nil
}

// unreadTime limits the time that a list spends on maildrops that cannot be read.
const unreadTime = 10 * time.Second

// uses reads the use of the maildrops of a list.
type uses struct {
	api *api
	PartialQuery
	// unread has the maildrops that could not be read, or were not tried any more.
	unread []string
	failed time.Duration // spent on them
}

// of returns the use of a maildrop; ok is false if the maildrop is in unread.
func (u *uses) of(ctx context.Context, address mail.Address, mailbox mail.MailboxID, retention mail.Retention) (used quota.Usage, ok bool, err error) {
	name := "maildrop " + address.String()
	if u.failed >= unreadTime {
		u.unread = append(u.unread, name)
		return used, false, nil
	}
	began := time.Now()
	used, err = u.api.quotas.Usage(ctx, mailbox, retention)
	if err == nil || !u.Partial || ctx.Err() != nil || !store.Unreached(err) {
		return used, err == nil, err
	}
	u.failed += time.Since(began)
	if len(u.unread) == 0 {
		u.api.logger.Warn("a list lacks the use of maildrops that cannot be read", "first", address.String(), "cause", err)
	}
	u.unread = append(u.unread, name)
	return used, false, nil
}
