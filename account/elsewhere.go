package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"popelago/mail"
	"popelago/store"
)

// elsewhereWait is how long a question to the other datacenters waits for its turn.
const elsewhereWait = 2 * time.Second

// absentSize is the largest number of domains remembered that no datacenter hosts.
const absentSize = 10_000

// What the other datacenters are asked, and what they answer: label values of
// popelago_account_elsewhere_total.
const (
	askAddress  = "address"
	askDomain   = "domain"
	answerFound = "found" // they know it, or know better
	answerNone  = "none"  // they do not know it either
	answerBusy  = "busy"  // too many questions: it was not asked
	answerError = "error" // a datacenter cannot be reached
)

// readElsewhere is read with what the other datacenters know. It is asked before anybody hears
// "no such recipient", "disabled" or "bad credentials": an account made there a moment ago, or
// enabled, or a password changed, may not have arrived here. known is what this datacenter
// knows; nil: nothing, and then the domain is looked for first. Where there is one datacenter
// there is nobody to ask, and known is returned.
//
// Whoever guesses addresses and passwords makes these questions happen. So there are no more of
// them in each second than Config.ElsewherePerSecond says.
//
// Errors: store.ErrUnavailable while a datacenter cannot be reached; ErrBusyElsewhere.
func (d *Directory) readElsewhere(ctx context.Context, a mail.Address, known *entry) (*entry, error) {
	if !d.store.Several {
		return known, nil
	}
	if known == nil {
		domain, err := d.domain(ctx, a.Domain)
		if err != nil || domain.Name == "" {
			return nil, err
		}
	}
	if err := d.turnElsewhere(ctx, d.elsewhere, askAddress); err != nil {
		return nil, err
	}
	e, err := d.readFrom(ctx, d.store.Each, a)
	d.metrics.answered(askAddress, e != nil, err)
	return e, err
}

// domain returns the settings of a domain by its canonical name, as readElsewhere does for an
// address. Name is empty if no datacenter hosts it.
//
// A domain that nobody hosts is asked for elsewhere by strangers, with each of their relaying
// tries: Config.ElsewhereDomainsPerSecond limits these questions apart from those about
// addresses, so that strangers keep nobody else waiting, and what was answered is remembered for
// Config.CacheTTL. A domain that arrives here in the meantime counts at once.
func (d *Directory) domain(ctx context.Context, name string) (store.Domain, error) {
	if domain, ok := d.domainCache.get(name, d.cfg.Now()); ok && domain.Name != "" {
		return domain, nil
	}
	domain, err := d.readDomain(ctx, d.store.Local, name)
	if err != nil || domain.Name != "" || !d.store.Several {
		return domain, err
	}
	if _, absent := d.absent.get(name, d.cfg.Now()); absent {
		return store.Domain{}, nil
	}
	if err := d.turnElsewhere(ctx, d.elsewhereDomains, askDomain); err != nil {
		return store.Domain{}, err
	}
	// Others may have asked while this one waited.
	if _, absent := d.absent.get(name, d.cfg.Now()); absent {
		return store.Domain{}, nil
	}
	epoch := d.absent.begin()
	domain, err = d.readDomain(ctx, d.store.Each, name)
	d.metrics.answered(askDomain, domain.Name != "", err)
	if err == nil {
		d.absent.put(name, struct{}{}, domain.Name == "", epoch, d.cfg.Now())
	}
	return domain, err
}

// readDomain reads the settings of a domain and remembers those that are there. Name is empty if
// there is no such domain.
func (d *Directory) readDomain(ctx context.Context, st store.Domains, name string) (store.Domain, error) {
	epoch := d.domainCache.begin()
	domain, err := st.Domain(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Domain{}, nil
	case err != nil:
		return store.Domain{}, fmt.Errorf("account: look up domain: %w", err)
	}
	d.domainCache.put(name, domain, true, epoch, d.cfg.Now())
	return domain, nil
}

// forgetDomain must be called after every change of a domain, see cache.forget.
func (d *Directory) forgetDomain(name string) {
	d.domainCache.forget(name)
	d.absent.forget(name)
}

// turnElsewhere waits until the other datacenters may be asked once more. Errors:
// ErrBusyElsewhere.
func (d *Directory) turnElsewhere(ctx context.Context, limit *rate.Limiter, what string) error {
	wait, cancel := context.WithTimeout(ctx, elsewhereWait)
	defer cancel()
	if err := limit.Wait(wait); err != nil {
		d.metrics.elsewhere.WithLabelValues(what, answerBusy).Inc()
		return fmt.Errorf("account: look up %s: %w: %w", what, ErrBusyElsewhere, err)
	}
	return nil
}
