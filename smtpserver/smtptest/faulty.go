package smtptest

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// FaultyStore answers some calls with an error:
//
//	directory   AddressRows
//	domains     Domain
//	new, new-full, put, put-full, write, write-full   the content
//	add         AddMessages
//	add-second  the second entry of each AddMessages, which is not written
//	unknown     AddMessages, which writes all the same
type FaultyStore struct {
	Fault string
}

// Wrap returns st, whose calls fail as f.Fault says at the time of the call.
func (f *FaultyStore) Wrap(st store.Store) store.Store {
	st.Mail = store.OneLevel[store.Mail](&faultyMail{st.Mail.Local, f})
	st.Directory = store.OneLevel[store.Directory](&faultyDirectory{st.Directory.Local, f})
	return st
}

func (f *FaultyStore) errIf(fault string) error {
	switch f.Fault {
	case fault:
		return store.ErrUnavailable
	case fault + "-full":
		return store.ErrFull
	}
	return nil
}

type faultyDirectory struct {
	store.Directory
	f *FaultyStore
}

func (d *faultyDirectory) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if err := d.f.errIf("directory"); err != nil {
		return nil, err
	}
	return d.Directory.AddressRows(ctx, a)
}

func (d *faultyDirectory) Domain(ctx context.Context, name string) (store.Domain, error) {
	if err := d.f.errIf("domains"); err != nil {
		return store.Domain{}, err
	}
	return d.Directory.Domain(ctx, name)
}

type faultyMail struct {
	store.Mail
	f *FaultyStore
}

func (m *faultyMail) NewContent(ctx context.Context) (store.Content, error) {
	if err := m.f.errIf("new"); err != nil {
		return nil, err
	}
	c, err := m.Mail.NewContent(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyContent{Content: c, f: m.f}, nil
}

// faultyContent fails behind the Received line.
type faultyContent struct {
	store.Content
	f *FaultyStore
}

func (c *faultyContent) Write(p []byte) (int, error) {
	if c.Size() > 0 {
		if err := c.f.errIf("write"); err != nil {
			return 0, err
		}
	}
	return c.Content.Write(p)
}

func (m *faultyMail) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	inner := c.(*faultyContent).Content
	if err := m.f.errIf("put"); err != nil {
		inner.Discard()
		return err
	}
	return m.Mail.PutContent(ctx, id, inner, info)
}

func (m *faultyMail) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	switch m.f.Fault {
	case "add":
		for i := range errs {
			errs[i] = store.ErrUnavailable
		}
		return errs
	case "add-second":
		if len(entries) > 1 {
			errs[1] = store.ErrUnavailable
			rest := append(append([]store.Entry(nil), entries[0]), entries[2:]...)
			for i, err := range m.Mail.AddMessages(ctx, rest) {
				if i > 0 {
					i++
				}
				errs[i] = err
			}
			return errs
		}
	case "unknown":
		m.Mail.AddMessages(ctx, entries)
		for i := range errs {
			errs[i] = store.ErrOutcomeUnknown
		}
		return errs
	}
	return m.Mail.AddMessages(ctx, entries)
}
