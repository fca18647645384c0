package storetest

import (
	"context"
	"time"

	"popelago/mail"
	"popelago/store"
)

type faultyDirectory struct {
	store.Directory
	f *Fault
}

func (s *faultyDirectory) SetBulk(ctx context.Context, mailbox mail.MailboxID) (since time.Time, err error) {
	err = s.f.write("SetBulk", func() (err error) { since, err = s.Directory.SetBulk(ctx, mailbox); return err })
	return since, err
}

func (s *faultyDirectory) AddressRows(ctx context.Context, a mail.Address) (rows []store.Address, err error) {
	err = s.f.read("AddressRows", func() (err error) { rows, err = s.Directory.AddressRows(ctx, a); return err })
	return rows, err
}

func (s *faultyDirectory) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	return s.f.write("ChangeAddress", func() error { return s.Directory.ChangeAddress(ctx, a, generation, c) })
}

func (s *faultyDirectory) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	err = s.f.read("ListAddresses", func() (err error) {
		rows, more, err = s.Directory.ListAddresses(ctx, domain, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faultyDirectory) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) (rows []store.Address, more bool, err error) {
	err = s.f.read("SearchAddresses", func() (err error) {
		rows, more, err = s.Directory.SearchAddresses(ctx, domain, prefix, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faultyDirectory) Domain(ctx context.Context, name string) (d store.Domain, err error) {
	err = s.f.read("Domain", func() (err error) { d, err = s.Directory.Domain(ctx, name); return err })
	return d, err
}

func (s *faultyDirectory) ListDomains(ctx context.Context) (ds []store.Domain, err error) {
	err = s.f.read("ListDomains", func() (err error) { ds, err = s.Directory.ListDomains(ctx); return err })
	return ds, err
}

func (s *faultyDirectory) RemovedDomains(ctx context.Context) (ds []store.RemovedDomain, err error) {
	err = s.f.read("RemovedDomains", func() (err error) { ds, err = s.Directory.RemovedDomains(ctx); return err })
	return ds, err
}

func (s *faultyDirectory) PutDomain(ctx context.Context, d store.Domain) error {
	return s.f.write("PutDomain", func() error { return s.Directory.PutDomain(ctx, d) })
}

func (s *faultyDirectory) ChangeDomain(ctx context.Context, name string, c store.DomainChange) error {
	return s.f.write("ChangeDomain", func() error { return s.Directory.ChangeDomain(ctx, name, c) })
}

func (s *faultyDirectory) RemoveDomain(ctx context.Context, name string) error {
	return s.f.write("RemoveDomain", func() error { return s.Directory.RemoveDomain(ctx, name) })
}

func (s *faultyDirectory) ListTokens(ctx context.Context) (ts []store.Token, err error) {
	err = s.f.read("ListTokens", func() (err error) { ts, err = s.Directory.ListTokens(ctx); return err })
	return ts, err
}

func (s *faultyDirectory) AddToken(ctx context.Context, t store.Token) error {
	return s.f.write("AddToken", func() error { return s.Directory.AddToken(ctx, t) })
}

func (s *faultyDirectory) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return s.f.write("RevokeToken", func() error { return s.Directory.RevokeToken(ctx, id, at) })
}

func (s *faultyDirectory) UseToken(ctx context.Context, id string, at time.Time) error {
	return s.f.write("UseToken", func() error { return s.Directory.UseToken(ctx, id, at) })
}

func (s *faultyDirectory) NoteLogin(ctx context.Context, mailbox mail.MailboxID, at time.Time) error {
	return s.f.write("NoteLogin", func() error { return s.Directory.NoteLogin(ctx, mailbox, at) })
}

func (s *faultyDirectory) LastLogin(ctx context.Context, mailbox mail.MailboxID) (at time.Time, err error) {
	err = s.f.read("LastLogin", func() (err error) { at, err = s.Directory.LastLogin(ctx, mailbox); return err })
	return at, err
}

func (s *faultyDirectory) Progress(ctx context.Context, name string) (string, error) {
	return s.f.progress(ctx, s.Directory, name)
}

func (s *faultyDirectory) SetProgress(ctx context.Context, name, text string) error {
	return s.f.setProgress(ctx, s.Directory, name, text)
}

func (f *Fault) progress(ctx context.Context, notes store.Notes, name string) (text string, err error) {
	err = f.read("Progress", func() (err error) { text, err = notes.Progress(ctx, name); return err })
	return text, err
}

func (f *Fault) setProgress(ctx context.Context, notes store.Notes, name, text string) error {
	return f.write("SetProgress", func() error { return notes.SetProgress(ctx, name, text) })
}
