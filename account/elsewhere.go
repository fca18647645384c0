package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"popelago/mail"
	"popelago/store"
)

// elsewhereWait limits the wait of a question to the other datacenters for its turn.
const elsewhereWait = 2 * time.Second

// absentSize is the largest number of domains in memory that no datacenter hosts.
const absentSize = 10_000

// Subjects of questions to the other datacenters, and answers: label values of
// popelago_account_elsewhere_total.
const (
	askAddress  = "address"
	askDomain   = "domain"
	askMaking   = "making" // an address that is about to be made
	answerFound = "found"  // the row, or a newer row
	answerNone  = "none"   // no row in any datacenter
	answerBusy  = "busy"   // too many questions: not asked
	answerError = "error"  // a datacenter cannot be reached
	answerRest  = "rest"   // a datacenter was silent a moment ago: not asked
)

// readElsewhere reads an account from a quorum of every datacenter. The directory does so before a
// client gets "no such recipient", "disabled" or "bad credentials": an account made in another
// datacenter a moment ago, or enabled, or a changed password, may not have arrived here. known is the
// account in this datacenter; nil: none, and the domain is read first. With a single datacenter,
// readElsewhere returns known.
//
// Guesses of addresses and passwords cause these questions. So Config.ElsewherePerSecond limits the
// questions in each second.
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

// makingWait limits a question about an address or a domain that is about to be made, or about a mailbox that is about to be emptied.
const makingWait = 5 * time.Second

// restAfterSilence is the time without questions about addresses and domains to be made, after another datacenter was silent.
const restAfterSilence = 10 * time.Second

// rowsElsewhere reads the rows of an address that is about to be made, from a quorum of every datacenter: a datacenter
// that knows neither an account nor its removal would make the same account once more, for a new owner. rowsElsewhere
// returns no rows without an answer, see askBeforeMaking. Errors: those of askBeforeMaking.
func (d *Directory) rowsElsewhere(ctx context.Context, a mail.Address) (rows []store.Address, err error) {
	err = d.askBeforeMaking(ctx, "address", a.String(), func(wait context.Context) (found bool, err error) {
		rows, err = d.store.Each.AddressRows(wait, a)
		return len(rows) > 0, err
	})
	return rows, err
}

// noDomainElsewhere asks a quorum of every datacenter about a domain that is about to be made: a domain that another
// datacenter hosts keeps the settings that it has there. The read also repairs a removal that has not arrived here. Errors:
// ErrExists; those of askBeforeMaking.
func (d *Directory) noDomainElsewhere(ctx context.Context, name string) error {
	hosted := false
	err := d.askBeforeMaking(ctx, "domain", name, func(wait context.Context) (bool, error) {
		_, err := d.store.Each.Domain(wait, name)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		hosted = err == nil
		return hosted, err
	})
	if err == nil && hosted {
		err = fmt.Errorf("domain %s: %w", name, ErrExists)
	}
	return err
}

// askBeforeMaking asks every datacenter about an address or a domain that is about to be made. askBeforeMaking asks
// nobody with a single datacenter, and returns nil while another datacenter cannot be reached: accounts are made during a
// cut, too. A refused question costs nothing. After a question without an answer, which costs makingWait, the directory
// asks no question for restAfterSilence. The log says once a minute that accounts are made without an answer. Callers ask
// before they hold changes. what is "address" or "domain", and name the name of it.
//
// Errors: the store's, if this server is too busy for the question; the error of the context.
func (d *Directory) askBeforeMaking(ctx context.Context, what, name string, ask func(context.Context) (found bool, err error)) error {
	if !d.store.Several {
		return nil
	}
	if d.rests() {
		d.metrics.elsewhere.WithLabelValues(askMaking, answerRest).Inc()
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, makingWait)
	defer cancel()
	found, err := ask(wait)
	d.metrics.answered(askMaking, found, err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, errors.Is(err, store.ErrOverloaded), !errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("account: look up %s: %w", what, err)
	case wait.Err() != nil:
		d.silent.Store(new(time.Now()))
	}
	d.unaskedLog.Do(func() {
		d.cfg.Logger.Warn("addresses and domains are made although another datacenter cannot say whether it has just made or removed them", what, mail.LogText(name), "error", err)
	})
	return nil
}

// rests reports whether another datacenter was silent a moment ago.
func (d *Directory) rests() bool {
	silent := d.silent.Load()
	return silent != nil && time.Since(*silent) < restAfterSilence
}

// rowsHere reads the rows of an address in this datacenter, and joins them with the rows of rowsElsewhere.
func (d *Directory) rowsHere(ctx context.Context, a mail.Address, elsewhere []store.Address) ([]store.Address, error) {
	rows, err := d.store.Local.AddressRows(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("account: look up address: %w", err)
	}
	return joinRows(rows, elsewhere), nil
}

// joinRows adds to the rows of an address what other rows know beyond them: generations, and their ends.
func joinRows(rows, others []store.Address) []store.Address {
	for _, other := range others {
		i := slices.IndexFunc(rows, func(r store.Address) bool { return r.Generation == other.Generation })
		if i < 0 {
			rows = append(rows, other)
			continue
		}
		removed := rows[i].Removed
		if other.Removed.Compare(removed) > 0 {
			removed = other.Removed
		}
		if rows[i].Kind == "" || other.Moved() && !rows[i].Moved() {
			rows[i] = other
		}
		rows[i].Removed = removed
	}
	slices.SortFunc(rows, func(a, b store.Address) int { return a.Generation.Compare(b.Generation) })
	return rows
}

// domain returns the settings of a domain by its canonical name, from the other datacenters if this
// datacenter does not host the domain. Name is empty if no datacenter does.
//
// Strangers that try to relay mail cause questions about domains that no datacenter hosts.
// Config.ElsewhereDomainsPerSecond limits these questions apart from questions about addresses, so
// that strangers delay nobody else. The directory remembers the answers for Config.CacheTTL. A domain
// that arrives here in the meantime counts at once.
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
	// The answer may have come for another caller during the wait.
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

// readDomain reads the settings of a domain and caches the settings of an existing domain. Name is
// empty if the domain does not exist.
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

// turnElsewhere waits until limit allows a further question to the other datacenters. Errors:
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
