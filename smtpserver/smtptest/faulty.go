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
	store.Store
	Fault string
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

// At implements store.Store. A view of another level fails as f does at this moment.
func (f *FaultyStore) At(level store.Level) store.Store {
	at := f.Store.At(level)
	if at == f.Store {
		return f
	}
	return &FaultyStore{Store: at, Fault: f.Fault}
}

// AddressRows implements store.Store.
func (f *FaultyStore) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	if err := f.errIf("directory"); err != nil {
		return nil, err
	}
	return f.Store.AddressRows(ctx, a)
}

// Domain implements store.Store.
func (f *FaultyStore) Domain(ctx context.Context, name string) (store.Domain, error) {
	if err := f.errIf("domains"); err != nil {
		return store.Domain{}, err
	}
	return f.Store.Domain(ctx, name)
}

// NewContent implements store.Store.
func (f *FaultyStore) NewContent(ctx context.Context) (store.Content, error) {
	if err := f.errIf("new"); err != nil {
		return nil, err
	}
	c, err := f.Store.NewContent(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyContent{Content: c, f: f}, nil
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

// PutContent implements store.Store.
func (f *FaultyStore) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	inner := c.(*faultyContent).Content
	if err := f.errIf("put"); err != nil {
		inner.Discard()
		return err
	}
	return f.Store.PutContent(ctx, id, inner, info)
}

// AddMessages implements store.Store.
func (f *FaultyStore) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	switch f.Fault {
	case "add":
		for i := range errs {
			errs[i] = store.ErrUnavailable
		}
		return errs
	case "add-second":
		if len(entries) > 1 {
			errs[1] = store.ErrUnavailable
			rest := append(append([]store.Entry(nil), entries[0]), entries[2:]...)
			for i, err := range f.Store.AddMessages(ctx, rest) {
				if i > 0 {
					i++
				}
				errs[i] = err
			}
			return errs
		}
	case "unknown":
		f.Store.AddMessages(ctx, entries)
		for i := range errs {
			errs[i] = store.ErrOutcomeUnknown
		}
		return errs
	}
	return f.Store.AddMessages(ctx, entries)
}
