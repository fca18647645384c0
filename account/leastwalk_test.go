package account

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

const week, month = mail.Retention(7 * 24 * time.Hour), mail.Retention(30 * 24 * time.Hour)

// wantLeast checks the retention announced before login.
func wantLeast(t *testing.T, what string, d *Directory, want mail.Retention) {
	t.Helper()
	if got, err := d.LeastRetention(t.Context()); err != nil || got != want {
		t.Errorf("%s: least retention %v, %v; want %v", what, got, err, want)
	}
}

func wantUnknown(t *testing.T, what string, d *Directory) {
	t.Helper()
	if got, err := d.LeastRetention(t.Context()); !errors.Is(err, ErrRetentionsUnknown) {
		t.Errorf("%s: least retention %v, %v; want %v", what, got, err, ErrRetentionsUnknown)
	}
}

func learn(t *testing.T, d *Directory) {
	t.Helper()
	if err := d.LearnRetentions(t.Context(), true); err != nil {
		t.Fatal(err)
	}
}

// retain gives an account of example.test, made if need be, a retention of its own.
func retain(t *testing.T, d *Directory, a string, retention mail.Retention) {
	t.Helper()
	if _, err := d.Account(t.Context(), addr(t, a)); err != nil {
		addAccount(t, d, a, "secret")
	}
	wantErr(t, "set the retention of "+a, d.SetRetention(t.Context(), addr(t, a), retention), nil)
}

// A new process knows the earlier retentions, and hears of the retentions that another process sets.
func TestLeastRetentionOutlivesTheProcess(t *testing.T) {
	st, c := openStore(t), newClock()
	first := newDirectory(t, cheap(c), st)
	if _, err := first.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	wantUnknown(t, "before any walk", first)
	retain(t, first, "bob@example.test", month) // before a walk, as with an older release
	wantUnknown(t, "still before any walk", first)
	learn(t, first)
	wantLeast(t, "after a walk", first, month)
	retain(t, first, "alice@example.test", week)
	wantLeast(t, "once it is set", first, week)

	second := newDirectory(t, cheap(c), st)
	wantLeast(t, "another process", second, week)
	retain(t, first, "alice@example.test", mail.Retention(24*time.Hour))
	c.advance(time.Minute)
	wantLeast(t, "another process, after a change", second, mail.Retention(24*time.Hour))
}

// A lengthened retention, and a removed account, count no more after a walk.
func TestLeastRetentionRises(t *testing.T) {
	d, _ := withDomain(t)
	learn(t, d)
	wantLeast(t, "without accounts", d, 0)
	retain(t, d, "alice@example.test", week)
	retain(t, d, "bob@example.test", month)
	retain(t, d, "carol@example.test", mail.Forever)
	retain(t, d, "alice@example.test", 2*month)
	wantLeast(t, "before a walk", d, week)
	learn(t, d)
	wantLeast(t, "a longer one", d, month)
	wantErr(t, "remove", d.RemoveAccount(t.Context(), addr(t, "bob@example.test")), nil)
	wantLeast(t, "before a walk", d, month)
	learn(t, d)
	wantLeast(t, "a removed account", d, 2*month)
	retain(t, d, "alice@example.test", 0)
	learn(t, d)
	wantLeast(t, "none", d, 0)
}

// walking calls do in the middle of a walk that finds only the given retentions.
func walking(t *testing.T, d *Directory, do func(), found ...mail.Retention) {
	t.Helper()
	err := d.NoteRetentions(t.Context(), func(note func(mail.Retention)) error {
		for _, own := range found {
			note(own)
		}
		do()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A retention shortened during a walk counts, in whichever process.
func TestLeastRetentionWhileWalking(t *testing.T) {
	c, st := newClock(), openStore(t)
	here, there := newDirectory(t, cheap(c), st), newDirectory(t, cheap(c), st)
	if _, err := here.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	learn(t, here)
	for _, changer := range []*Directory{here, there} {
		retain(t, changer, "alice@example.test", 2*month)
		learn(t, here)
		walking(t, here, func() { retain(t, changer, "alice@example.test", week) }, 2*month)
		c.advance(time.Minute)
		for _, d := range []*Directory{here, there, newDirectory(t, cheap(c), st)} {
			wantLeast(t, "changed during a walk", d, week)
		}
	}
	// A simultaneous walk of another process is no obstacle to the next walk.
	retain(t, here, "alice@example.test", month)
	walking(t, here, func() { learn(t, there) }, month)
	learn(t, here)
	c.advance(time.Minute)
	wantLeast(t, "afterwards", here, month)
	wantLeast(t, "afterwards, elsewhere", newDirectory(t, cheap(c), st), month)
}

// A walk with an earlier beginning and a later end than another walk knows less, and changes nothing.
func TestLeastRetentionSlowWalk(t *testing.T) {
	d, _ := withDomain(t)
	learn(t, d)
	retain(t, d, "alice@example.test", week)
	walking(t, d, func() {
		retain(t, d, "alice@example.test", month)
		learn(t, d)
	}, week)
	wantLeast(t, "after both", d, month)
}

// A failed walk changes nothing.
func TestLeastRetentionFailedWalk(t *testing.T) {
	d, _ := withDomain(t)
	failed := errors.New("a failure")
	fail := func(note func(mail.Retention)) error { note(month); return failed }
	wantErr(t, "a walk that fails", d.NoteRetentions(t.Context(), fail), failed)
	wantUnknown(t, "after it", d)
	learn(t, d)
	retain(t, d, "alice@example.test", week)
	wantErr(t, "a walk that fails", d.NoteRetentions(t.Context(), fail), failed)
	wantLeast(t, "after it", d, week)
}

// elsewhereStore leaves all background work to other servers, and counts lists of addresses.
type elsewhereStore struct {
	store.Directory
	lists int
}

func (s *elsewhereStore) Mine(string) bool { return false }

func (s *elsewhereStore) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	s.lists++
	return s.Directory.ListAddresses(ctx, domain, after, limit)
}

// The servers of a cluster do not walk over the accounts at each start.
func TestLearnRetentionsOnce(t *testing.T) {
	first, c := withDomain(t)
	retain(t, first, "alice@example.test", week)
	others := &elsewhereStore{Directory: first.store.Local}
	second := newDirectory(t, cheap(c), others)
	start := func(what string, d *Directory, lists int) {
		t.Helper()
		if err := d.LearnRetentions(t.Context(), false); err != nil || others.lists != lists {
			t.Errorf("%s: %v, %d lists of addresses, want %d", what, err, others.lists, lists)
		}
	}
	start("a walk that falls to another server", second, 0)
	wantUnknown(t, "before that one's", second)
	start("the server it falls to", first, 0)
	c.advance(time.Minute)
	wantLeast(t, "after it", second, week)

	third := &elsewhereStore{Directory: first.store.Local}
	others = third
	start("a later start", newDirectory(t, cheap(c), third), 0)
	if err := newDirectory(t, cheap(c), third).LearnRetentions(t.Context(), true); err != nil || third.lists == 0 {
		t.Errorf("anew: %v, %d lists of addresses", err, third.lists)
	}
}

// A text of another form counts as no text.
func TestLeastNoteOfAnotherForm(t *testing.T) {
	d, _ := withDomain(t)
	retain(t, d, "alice@example.test", week)
	for _, text := range []string{"7d", "-1", "9223372036854775807", "0 1"} {
		if err := d.store.Local.SetProgress(t.Context(), leastNote, text); err != nil {
			t.Fatal(err)
		}
		fresh := newDirectory(t, cheap(newClock()), d.store.Local)
		wantUnknown(t, text, fresh)
		learn(t, fresh)
		wantLeast(t, "after a walk over "+text, fresh, week)
	}
}

// An import lowers the least retention before it writes, for both retentions of an account, and for every server. A dry
// run lowers nothing.
func TestLeastRetentionOfImports(t *testing.T) {
	for _, name := range []string{settingRetention, SettingAfterRetrieval} {
		t.Run(name, func(t *testing.T) {
			c, st := newClock(), openStore(t)
			d := newDirectory(t, cheap(c), st)
			if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
				t.Fatal(err)
			}
			learn(t, d)
			retain(t, d, "bob@example.test", month)
			run := func(dry bool) {
				t.Helper()
				done := d.Import(t.Context(), []Wanted{{Address: addr(t, "alice@example.test"), Settings: map[string]string{name: "7d"}}}, dry)
				if done[0].Outcome != OutcomeMade {
					t.Errorf("import, dry run %t: %+v", dry, done[0])
				}
			}
			run(true)
			wantLeast(t, "after a dry run", d, month)
			wantLeast(t, "after a dry run, another process", newDirectory(t, cheap(c), st), month)
			walking(t, d, func() { run(false) }, month)
			wantLeast(t, "after an import", d, week)
			wantLeast(t, "after an import, another process", newDirectory(t, cheap(c), st), week)
		})
	}
}

// After a fault at any point, the announced retention is never above the retention of an account
// whose change succeeded.
func TestLeastRetentionFaults(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		engine, ctx := openStore(t), t.Context()
		sure := newDirectory(t, cheap(newClock()), engine)
		if _, err := sure.AddDomain(ctx, "example.test"); err != nil {
			t.Fatal(err)
		}
		retain(t, sure, "alice@example.test", month)
		c := newClock()
		d := newDirectory(t, cheap(c), wrap(store.Single(engine)).Directory.Local)
		again := func(what string, do func() error) {
			t.Helper()
			err := do()
			if err != nil && !isFault(err) {
				t.Fatalf("%s: %v is no fault", what, err)
			}
			if err != nil {
				c.advance(leastRest) // a failure counts for all callers of the time
				wantErr(t, what+" again", do(), nil)
			}
		}
		learnt := func() error { return d.LearnRetentions(ctx, true) }
		again("learn", learnt)
		again("shorter", func() error { return d.SetRetention(ctx, addr(t, "alice@example.test"), week) })
		wantLeast(t, "after a restart", newDirectory(t, cheap(newClock()), engine), week)
		again("least", func() error {
			got, err := d.LeastRetention(ctx)
			if err == nil && got != week {
				t.Errorf("least retention %v, want %v", got, week)
			}
			return err
		})
		again("remove", func() error {
			err := d.RemoveAccount(ctx, addr(t, "alice@example.test"))
			if errors.Is(err, ErrNoSuchAccount) {
				return nil
			}
			return err
		})
		again("learn", learnt)
		wantLeast(t, "without it", newDirectory(t, cheap(newClock()), engine), 0)
	})
}

// During walks the announced retention is never above the retention of an account.
func TestLeastRetentionWithWalksUnderWay(t *testing.T) {
	st, c := openStore(t), newClock()
	d := newDirectory(t, cheap(c), st)
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	learn(t, d)
	addAccount(t, d, "alice@example.test", "secret")
	done := make(chan struct{})
	var walks sync.WaitGroup
	for range 2 {
		walks.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := d.LearnRetentions(t.Context(), true); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for days := 100; days > 0; days-- {
		retention := mail.Retention(time.Duration(days) * 24 * time.Hour)
		wantErr(t, "shorter", d.SetRetention(t.Context(), addr(t, "alice@example.test"), retention), nil)
		wantLeast(t, "here", d, retention)
		wantLeast(t, "after a restart", newDirectory(t, cheap(c), st), retention)
	}
	close(done)
	walks.Wait()
}
