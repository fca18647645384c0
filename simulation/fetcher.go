package simulation

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/maildrop"
)

// readAhead is the most messages that a session reads ahead for a mail program that sends many RETR at once.
const readAhead = 4

// fetcher is a mail program: it signs in to maildrops, retrieves what it does not know, and removes a part. In half of the
// sessions it sends many RETR at once.
type fetcher struct {
	w    *World
	rand *rand.Rand
}

// run fetches until the context ends.
func (f *fetcher) run(ctx context.Context) {
	for event.Pause(ctx, draw(f.rand, f.w.cfg.FetchEvery)) {
		for _, d := range f.w.choose(f.rand, 1) {
			if s := f.w.server(f.rand, nil); s != nil {
				f.begin(ctx, s, d, f.rand.IntN(3) > 0)
			}
		}
	}
}

// begin makes a session. Where servers are suspended, nobody waits for the end of the session.
func (f *fetcher) begin(ctx context.Context, s *server, d *drop, remove bool) {
	ctx = context.WithoutCancel(ctx)
	if !f.w.suspends {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
		defer cancel()
		f.session(ctx, s, d, remove)
		return
	}
	one := &fetcher{f.w, rand.New(rand.NewPCG(f.rand.Uint64(), 1))}
	f.w.clients.Go(func() { one.session(ctx, s, d, remove) })
}

// session is one session. remove says whether it removes messages.
func (f *fetcher) session(ctx context.Context, s *server, d *drop, remove bool) {
	began, at, lossy := time.Now(), s.engine.Origin(), f.w.lossy()
	login, drop, err := s.open(ctx, d.address, d.name)
	if err != nil {
		f.refused(s, d, err)
		return
	}
	defer drop.Close()
	if login.Mailbox.IsZero() || s.engine.Origin() != at {
		return
	}
	all := entries(drop)
	f.w.story.add("%s through %s: %d messages", d.name, s, len(all))
	f.w.model.list(d, began, at, all, lossy || f.w.lossy())
	var marked []mail.UIDL
	pipelines := f.rand.IntN(2) == 0
	for i, e := range all {
		if pipelines {
			drop.ReadAhead(ctx, i+1, numbers(i+2, min(i+1+readAhead, len(all))))
		}
		if !f.w.retrieve(ctx, s, d, drop, i+1, e) || !remove || f.rand.IntN(4) == 0 || f.w.keeps(d, e.uidl) {
			continue
		}
		if drop.Mark(i+1) == nil {
			marked = append(marked, e.uidl)
		}
	}
	if len(marked) > 0 {
		f.commit(ctx, s, d, drop, marked)
	}
}

// refused checks the failure of a login.
func (f *fetcher) refused(s *server, d *drop, err error) {
	f.w.story.add("%s through %s: %s", d.name, s, short(err))
	f.w.model.count(func(t *Tally) { t.FailedLogins++ })
	if permanent(err) && f.w.model.lives(d) {
		f.w.story.violated(promisePermanent, "the login of %s through %s fails: %v", d.name, s, err)
	}
}

// commit removes the marked messages, and repeats the removal as a session does.
func (f *fetcher) commit(ctx context.Context, s *server, d *drop, drop *maildrop.Maildrop, marked []mail.UIDL) {
	for _, uidl := range marked {
		f.w.model.removing(d, uidl)
	}
	at := s.engine.Origin()
	var err error
	for range 3 {
		if _, err = drop.Commit(ctx); err == nil || !event.Pause(ctx, time.Second) {
			break
		}
	}
	err = s.afterwards(err)
	at = f.w.place(at, s.engine.Origin())
	f.w.story.add("%s through %s: removes %d messages: %v", d.name, s, len(marked), short(err))
	f.w.model.removed(d, marked, at, err)
}

// numbers returns the numbers of the messages from first to last.
func numbers(first, last int) (list []int) {
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

// entries lists an open maildrop.
func entries(drop *maildrop.Maildrop) []seen {
	all := make([]seen, 0, drop.Len())
	for n := 1; n <= drop.Len(); n++ {
		if e, err := drop.Entry(n); err == nil {
			all = append(all, seen{e.UIDL, e.Size})
		}
	}
	return all
}

// retrieve retrieves a message and checks its text. It reports whether that succeeded.
func (w *World) retrieve(ctx context.Context, s *server, d *drop, drop *maildrop.Maildrop, n int, e seen) bool {
	r, err := drop.Read(ctx, n)
	if err != nil {
		if !removedMeanwhile(err) {
			w.story.add("%s through %s: cannot retrieve %s: %s", d.name, s, e.uidl, short(err))
		}
		return false
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil || !s.alive() {
		w.story.add("%s through %s: %s ends early: %s", d.name, s, e.uidl, short(err))
		return false
	}
	number, fits := w.texts.numberOf(string(text))
	w.model.retrieved(d, e.uidl, number, int64(len(text)), fits)
	return fits
}

// keeps reports whether the user of a maildrop never removes a message.
func (w *World) keeps(d *drop, uidl mail.UIDL) bool {
	return w.cfg.KeepEvery > 0 && w.model.numberOf(d, uidl)%w.cfg.KeepEvery == 0
}

// numberOf returns the number of a message that was retrieved.
func (m *model) numberOf(d *drop, uidl mail.UIDL) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return d.unique[uidl].number
}

// lives reports whether nobody has begun to remove an account.
func (m *model) lives(d *drop) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return d.ending.IsZero()
}
