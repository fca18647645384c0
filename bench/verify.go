package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// VerifyConfig holds the settings of Verify.
type VerifyConfig struct {
	Target Target

	// Logins are the maildrops to check. With a journal, every mailbox of the journal must be among
	// them.
	Logins []Login

	// Journal is the path of a journal of Deliver and Drain. "" checks only content, sizes and the
	// form of the unique-ids.
	Journal string

	// Record appends the sightings to the journal, so that the next Verify notices a changed
	// unique-id.
	Record bool

	// Connections is the number of sessions at one time. Default 1.
	Connections int

	// Window is the number of RETR commands ahead of their responses, 1 to 2,000. Default 100.
	Window int

	// Reconnect is the time for attempts to read a maildrop to its end. 0 means one attempt.
	Reconnect time.Duration

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// validate fills in the defaults and describes errors in words for the user.
func (c *VerifyConfig) validate() error {
	if err := c.Target.validate(); err != nil {
		return err
	}
	if c.Window == 0 {
		c.Window = 100
	}
	if c.Window < 1 || c.Window > maxWindow {
		return fmt.Errorf("bench: window %d: want 1 to %d", c.Window, maxWindow)
	}
	if c.Record && c.Journal == "" {
		return errors.New("bench: nothing can be recorded without a journal")
	}
	c.Connections = max(c.Connections, 1)
	return validateLogins(c.Logins)
}

// Verify reads all maildrops and checks the server's promises: every acknowledged message is
// present exactly once and octet for octet, no removed message is back, sizes match RETR, and
// unique-ids are unchanged. No delivery and no drain may run at the same time. The result is in the
// report's Findings; violations are no error of the run. An error means that the check is
// incomplete.
func Verify(ctx context.Context, cfg VerifyConfig) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	v := &verifyRun{cfg: cfg, ledger: make(ledger), findings: &Findings{Violations: map[Violation]int64{}}}
	var err error
	if cfg.Journal != "" {
		if v.ledger, err = readLedger(cfg.Journal); err != nil {
			return Report{}, err
		}
	}
	for _, l := range cfg.Logins {
		v.ledger.account(l.Name) // from here on the ledger is only read
	}
	for mailbox := range v.ledger {
		if !slices.ContainsFunc(cfg.Logins, func(l Login) bool { return l.Name == mailbox }) {
			return Report{}, fmt.Errorf("bench: the journal names mailbox %s, which is not among the users", mailbox)
		}
	}
	if cfg.Record {
		if v.journal, err = OpenJournal(cfg.Journal); err != nil {
			return Report{}, err
		}
		defer v.journal.Close()
	}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	start := time.Now()
	cfg.Progress.begin("verify", int64(len(cfg.Logins)))
	next := newPace(0, 0, int64(len(cfg.Logins)))
	retr := make([]measure, cfg.Connections)
	var wg sync.WaitGroup
	for i := range retr {
		wg.Go(func() {
			w := verifyWorker{run: v, retr: &retr[i]}
			for {
				n, _, ok := next.take(ctx)
				if !ok {
					return
				}
				if err := w.mailbox(ctx, cfg.Logins[n]); err != nil {
					stop(fmt.Errorf("bench: verify %s: %w", cfg.Logins[n].Name, err))
					return
				}
				cfg.Progress.step(1)
			}
		})
	}
	wg.Wait()

	report := Report{Name: "verify", Start: start, Seconds: time.Since(start).Seconds(), Findings: v.findings}
	var sum measure
	for i := range retr {
		sum.merge(&retr[i])
	}
	report.addRow("RETR", &sum)
	report.Errors = v.failures.list()
	return finish(ctx, report, v.journal)
}

// verifyRun holds the values shared by the connections of a run.
type verifyRun struct {
	cfg      VerifyConfig
	ledger   ledger
	failures failures

	judging  sync.Mutex
	findings *Findings // guarded by judging

	journal *Journal
}

// verifyWorker reads one maildrop after the other.
type verifyWorker struct {
	run  *verifyRun
	retr *measure
	text []byte // the message being read
	want []byte // the expected message
}

// mailbox reads one maildrop, again if the session is lost.
func (w *verifyWorker) mailbox(ctx context.Context, login Login) error {
	cfg := &w.run.cfg
	var box verifiedBox
	err := redial(ctx, cfg.Reconnect, func() (err error) {
		box, err = w.read(ctx, login)
		return err
	}, func(err error) {
		w.run.failures.add(err, 1)
		cfg.Progress.fail(1)
	})
	if err != nil {
		return err
	}
	w.run.judging.Lock()
	defer w.run.judging.Unlock()
	f := w.run.findings
	for _, e := range box.violations {
		f.violation(e)
	}
	f.Mailboxes++
	f.Messages += int64(len(box.listed))
	f.judge(w.run.ledger, login.Name, box.listed)
	for _, m := range box.listed {
		t := "-"
		if m.ours {
			t = m.token.String()
		}
		w.run.journal.seen(login.Name, m.uidl, t)
	}
	return nil
}

// verifiedBox is a maildrop that was read to its end.
type verifiedBox struct {
	listed     []listed
	violations []Example
}

// read reads one maildrop in one session. It applies only the rules that need no journal.
func (w *verifyWorker) read(ctx context.Context, login Login) (verifiedBox, error) {
	var box verifiedBox
	cfg := &w.run.cfg
	c, err := dialPOP(ctx, cfg.Target)
	if err != nil {
		return box, err
	}
	defer c.link.close()
	if err := c.login(login); err != nil {
		return box, err
	}
	n, total, err := c.stat()
	if err != nil {
		return box, err
	}
	sizes, err := c.list(n)
	if err != nil {
		return box, err
	}
	uidls, err := c.uidl(n)
	if err != nil {
		return box, err
	}
	box.check(login.Name, total, sizes, uidls)

	err = c.pipeline(ctx, "RETR", "", 1, n, cfg.Window, func(number int, sent time.Time) error {
		c.link.arm()
		e := Example{Mailbox: login.Name, UIDL: uidls[number-1]}
		_, err := c.response("RETR")
		var no *replyError
		if errors.As(err, &no) {
			e.Kind, e.Detail = Unreadable, no.reply
			box.violations = append(box.violations, e)
			box.listed = append(box.listed, listed{uidl: e.UIDL})
			return nil
		}
		if err != nil {
			return err
		}
		if w.text, err = c.readText(w.text[:0]); err != nil {
			return err
		}
		w.retr.add(1, int64(len(w.text)), time.Since(sent))
		t, start, err := findToken(w.text)
		box.listed = append(box.listed, listed{uidl: e.UIDL, token: t, ours: err == nil})
		if err == nil {
			e.Token = t.String()
			w.want = appendMessage(w.want[:0], t)
			if err := compare(w.text[start:], w.want); err != nil {
				e.Kind, e.Detail = Altered, err.Error()
				box.violations = append(box.violations, e)
			}
		}
		if int64(len(w.text)) != sizes[number-1] {
			e.Kind, e.Detail = SizeWrong, fmt.Sprintf("LIST says %d octets, RETR sends %d", sizes[number-1], len(w.text))
			box.violations = append(box.violations, e)
		}
		return nil
	})
	if err != nil {
		return box, err
	}
	return box, c.quit()
}

// maxUIDL is the longest unique-id that is not a violation. RFC 1939 section 7 allows 70 octets,
// but a server that took over mail lists the unique-ids that its clients know, and some of those
// are longer.
const maxUIDL = 255

// check looks at STAT and at the form of the unique-ids (RFC 1939 sections 5 and 7).
func (b *verifiedBox) check(mailbox string, total int64, sizes []int64, uidls []string) {
	var sum int64
	for _, s := range sizes {
		sum += s
	}
	if sum != total {
		b.violations = append(b.violations, Example{Kind: SizeWrong, Mailbox: mailbox,
			Detail: fmt.Sprintf("STAT says %d octets, LIST %d", total, sum)})
	}
	once := make(map[string]bool, len(uidls))
	for _, id := range uidls {
		if once[id] {
			b.violations = append(b.violations, Example{Kind: UIDLInvalid, Mailbox: mailbox, UIDL: id, Detail: "listed twice"})
		}
		once[id] = true
		if len(id) == 0 || len(id) > maxUIDL || slices.ContainsFunc([]byte(id), func(c byte) bool { return c < 0x21 || c > 0x7e }) {
			b.violations = append(b.violations, Example{Kind: UIDLInvalid, Mailbox: mailbox, UIDL: oneLine(id),
				Detail: fmt.Sprintf("want 1 to %d characters 0x21 to 0x7E", maxUIDL)})
		}
	}
}
