package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/account"
	"popelago/quota"
	"popelago/store"
)

// UsageConfig holds the settings of the usage job.
type UsageConfig struct {
	// Every is the pause between two runs. Zero: only on request.
	Every time.Duration
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
}

// Usage returns the job that measures the domains with a quota for quotas. A run reads the list of every
// maildrop of such a domain, on the server whose share the domain is. Memory is bounded. A domain that
// another datacenter has measured within half of the pause waits for a later run, unless the run was asked
// for.
func Usage(cfg UsageConfig, dir *account.Directory, quotas *quota.Keeper, st store.Store) Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return Job{Name: "usage", Every: cfg.Every, Run: func(ctx context.Context, asked bool) (Report, error) {
		u := usage{cfg: cfg, dir: dir, quotas: quotas, mail: st.Mail.Local, directory: st.Directory.Local, asked: asked}
		err := u.run(ctx)
		return u.report(), err
	}}
}

// usage is one run of the usage job.
type usage struct {
	cfg       UsageConfig
	dir       *account.Directory
	quotas    *quota.Keeper
	mail      store.Mail
	directory store.Directory
	asked     bool

	domains, mailboxes, skipped, unread int
	failed                              failures
}

func (u *usage) report() (r Report) {
	r.add("domains", int64(u.domains))
	r.add("mailboxes", int64(u.mailboxes))
	r.add(othersShare, int64(u.skipped))
	r.add(blocked, int64(u.unread))
	return r
}

func (u *usage) run(ctx context.Context) error {
	domains, err := u.dir.ListDomains(ctx)
	if err != nil && !errors.Is(err, account.ErrSomeDomains) {
		return err
	}
	if err != nil {
		u.unread++
	}
	for _, domain := range domains {
		if octets, messages := u.dir.DomainQuota(domain); octets == 0 && messages == 0 {
			continue
		}
		failed := u.measure(ctx, domain)
		if store.Unreached(failed) {
			u.unread++
		}
		if err := u.failed.add(ctx, failed); err != nil {
			return u.failed.join(err)
		}
	}
	return u.failed.join(err)
}

// measure measures one domain, if due.
func (u *usage) measure(ctx context.Context, domain store.Domain) error {
	if !u.directory.Mine("usage/" + domain.Name) {
		u.skipped++
		return nil
	}
	last, known, err := u.quotas.Domain(ctx, domain.Name)
	if err != nil {
		return err
	}
	keep := u.dir.Keeping(domain)
	total := quota.Total{Began: u.cfg.Now()}
	if age := total.Began.Sub(last.Began); !u.asked && known && age >= 0 && age < u.cfg.Every/2 {
		u.skipped++
		return nil
	}
	err = account.EachAddress(ctx, u.directory.ListAddresses, domain.Name, "", checkPage, func(rows []store.Address) (bool, error) {
		for _, g := range account.Generations(rows, keep) {
			if g.Status != account.Live || g.Row.Kind != store.KindAccount {
				continue
			}
			used, err := quota.Measure(ctx, u.mail, g.Mailbox, g.Retention, u.cfg.Now())
			if err != nil {
				return false, err
			}
			u.mailboxes++
			showProgress(ctx, u.report())
			total.Octets += used.Octets
			total.Messages += used.Messages
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("task: measure domain %s: %w", domain.Name, err)
	}
	total.Ended = u.cfg.Now()
	u.domains++
	return u.quotas.NoteDomain(ctx, domain.Name, total)
}
