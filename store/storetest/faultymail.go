package storetest

import (
	"context"
	"io"
	"iter"
	"time"

	"popelago/mail"
	"popelago/store"
)

type faultyMail struct {
	store.Mail
	f     *Fault
	local bool // the level Local, or the level All without several datacenters
}

func (s *faultyMail) NewContent(ctx context.Context) (c store.Content, err error) {
	err = s.f.read("NewContent", func() (err error) { c, err = s.Mail.NewContent(ctx); return err })
	if err != nil {
		return nil, err
	}
	return &faultyContent{c, s.f}, nil
}

func (s *faultyMail) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	inner := c
	if fc, ok := c.(*faultyContent); ok {
		inner = fc.Content
	}
	if s.local {
		defer inner.Discard() // an error uses up c, too
	}
	return s.f.write("PutContent", func() error { return s.Mail.PutContent(ctx, id, inner, info) })
}

func (s *faultyMail) DropContent(ctx context.Context, id mail.MessageID, size int64) error {
	return s.f.write("DropContent", func() error { return s.Mail.DropContent(ctx, id, size) })
}

func (s *faultyMail) OpenContent(ctx context.Context, id mail.MessageID, origin string) (info store.ContentInfo, r io.ReadCloser, err error) {
	err = s.f.read("OpenContent", func() (err error) { info, r, err = s.Mail.OpenContent(ctx, id, origin); return err })
	if err != nil {
		return store.ContentInfo{}, nil, err
	}
	return info, &faultyReader{r, s.f}, nil
}

func (s *faultyMail) AddMessages(ctx context.Context, entries []store.Entry) []error {
	const operation = "AddMessages"
	if !s.f.next(operation, several(len(entries))) {
		return s.Mail.AddMessages(ctx, entries)
	}
	done, err := 0, s.f.undone(operation)
	switch {
	case s.f.Mode == Half && len(entries) > 1:
		done = len(entries) / 2
	case s.f.Mode != Before:
		done, err = len(entries), s.f.error(store.ErrOutcomeUnknown, operation)
	}
	errs := make([]error, len(entries))
	for i := range errs {
		errs[i] = err
	}
	if done > 0 {
		for i, err := range s.Mail.AddMessages(ctx, entries[:done:done]) {
			if err != nil || done < len(entries) {
				errs[i] = err
			}
		}
	}
	return errs
}

func (s *faultyMail) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	err = s.f.read("ListMessages", func() (err error) {
		rows, more, err = s.Mail.ListMessages(ctx, mailbox, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faultyMail) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (m mail.Message, err error) {
	err = s.f.read("Message", func() (err error) { m, err = s.Mail.Message(ctx, mailbox, id); return err })
	return m, err
}

func (s *faultyMail) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	return remove(s.f, ids, func(ids []mail.MessageID) error { return s.Mail.RemoveMessages(ctx, mailbox, ids) })
}

func (s *faultyMail) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	return remove(s.f, rows, func(rows []mail.Message) error { return s.Mail.RemoveListed(ctx, mailbox, rows) })
}

// remove calls do, or fails as f says: before do, after do, or after do with half of the messages. Both forms of
// removal count as RemoveMessages.
func remove[M any](f *Fault, messages []M, do func([]M) error) error {
	const operation = "RemoveMessages"
	if !f.next(operation, several(len(messages))) {
		return do(messages)
	}
	if f.Mode == Before {
		return f.undone(operation)
	}
	if f.Mode == Half && len(messages) > 1 {
		messages = messages[:len(messages)/2]
	}
	if err := do(messages); err != nil {
		return err
	}
	return f.error(store.ErrOutcomeUnknown, operation)
}

func (s *faultyMail) RemovedMessages(ctx context.Context, mailbox mail.MailboxID, since time.Time) iter.Seq2[store.Removal, error] {
	if err := s.f.read("RemovedMessages", func() error { return nil }); err != nil {
		return func(yield func(store.Removal, error) bool) { yield(store.Removal{}, err) }
	}
	return s.Mail.RemovedMessages(ctx, mailbox, since)
}

func (s *faultyMail) NoteRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, at time.Time, keep time.Duration) error {
	return s.f.write("NoteRetrieved", func() error { return s.Mail.NoteRetrieved(ctx, mailbox, ids, at, keep) })
}

func (s *faultyMail) RetrievedMessages(ctx context.Context, mailbox mail.MailboxID, after, through mail.MessageID) iter.Seq2[store.Retrieval, error] {
	if err := s.f.read("RetrievedMessages", func() error { return nil }); err != nil {
		return func(yield func(store.Retrieval, error) bool) { yield(store.Retrieval{}, err) }
	}
	return s.Mail.RetrievedMessages(ctx, mailbox, after, through)
}

func (s *faultyMail) ForgetRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	return s.f.write("ForgetRetrieved", func() error { return s.Mail.ForgetRetrieved(ctx, mailbox, ids) })
}

type faultyContent struct {
	store.Content
	f *Fault
}

func (c *faultyContent) Write(p []byte) (n int, err error) {
	err = c.f.read("Content.Write", func() (err error) { n, err = c.Content.Write(p); return err })
	return n, err
}

type faultyReader struct {
	io.ReadCloser
	f *Fault
}

func (r *faultyReader) Read(p []byte) (n int, err error) {
	err = r.f.read("Read", func() (err error) { n, err = r.ReadCloser.Read(p); return err })
	return n, err
}

func (r *faultyReader) WriteTo(w io.Writer) (n int64, err error) {
	err = r.f.read("WriteTo", func() (err error) {
		if wt, ok := r.ReadCloser.(io.WriterTo); ok {
			n, err = wt.WriteTo(w)
		} else {
			n, err = io.Copy(w, r.ReadCloser)
		}
		return err
	})
	return n, err
}
