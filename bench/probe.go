package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// ProbeSite is a server, or a datacenter with its servers. A site takes and shows the messages of a probe.
type ProbeSite struct {
	Name     string
	Protocol Protocol // of Deliver
	Deliver  Target
	POP3     Target
}

// ProbeConfig selects a probe.
type ProbeConfig struct {
	Sites []ProbeSite
	// From is the reverse-path. Default: the null reverse-path.
	From string
	// Login is the account of the probe: its address and its password.
	Login Login
	// Wait limits the time until a message is listed at a site. Default 30s.
	Wait time.Duration
	// Every is the pause between two looks at a site. Default 250ms.
	Every time.Duration
}

// ProbeReport holds the steps of a probe, in the order of their beginning.
type ProbeReport struct {
	Account string      `json:"account"`
	Steps   []ProbeStep `json:"steps"`
	// Left lists the tokens of messages left in the maildrop, as far as the probe knows: the value of the header
	// field X-Bench-Id.
	Left []string `json:"left,omitempty"`
	OK   bool     `json:"ok"`
}

// The steps of a probe.
const (
	// StepSignIn: connect, log in, and list the maildrop, at each site, before a message is sent.
	StepSignIn = "sign in"
	// StepDeliver: connect, send the message, and get the reply.
	StepDeliver = "deliver"
	// StepVisible lasts from the reply until a new session lists the message. The time elsewhere is the lag.
	StepVisible = "visible"
	// StepRetrieve: get the message, and compare each octet.
	StepRetrieve = "retrieve"
	// StepRemove: remove the message with DELE and QUIT.
	StepRemove = "remove"
)

// ProbeStep is a step of a probe.
type ProbeStep struct {
	Step string `json:"step"`
	// From is the site of the delivery; empty for StepSignIn.
	From string `json:"from,omitempty"`
	// Site is the site asked.
	Site    string  `json:"site"`
	Seconds float64 `json:"seconds"`
	// Fault describes the failure; empty: the step succeeded.
	Fault string `json:"fault,omitempty"`

	err error
}

// Errors of the steps of a probe, beside errors of the connection and ProbeRefusal.
var (
	// ErrNotVisible: the message was not listed within ProbeConfig.Wait.
	ErrNotVisible = errors.New("the message is not listed")
	// ErrOtherText: RETR sent different octets.
	ErrOtherText = errors.New("the octets of the message differ from those delivered")
	// ErrProbeGone: the message has left the maildrop without the probe.
	ErrProbeGone = errors.New("the message was removed by another program: the account of a probe belongs to the probe alone")
)

// ProbeFault is a failed step, as an error.
type ProbeFault struct {
	ProbeStep
}

// Error names the step, the sites and the cause.
func (f *ProbeFault) Error() string {
	where := f.Site
	if f.From != "" && f.From != f.Site {
		where += ", message from " + f.From
	}
	return fmt.Sprintf("%s (%s): %v", f.Step, where, f.err)
}

// Unwrap returns the cause.
func (f *ProbeFault) Unwrap() error { return f.err }

// Refusal returns the negative reply or response behind the fault, as received; empty: there was none.
func (f *ProbeFault) Refusal() string {
	var refused *replyError
	if errors.As(f.err, &refused) {
		return refused.reply
	}
	return ""
}

// validate fills in the defaults and describes errors in words for the user.
func (c *ProbeConfig) validate() error {
	if len(c.Sites) == 0 {
		return errors.New("probe: no site")
	}
	names := map[string]bool{}
	for _, s := range c.Sites {
		if s.Name == "" || names[s.Name] {
			return fmt.Errorf("probe: the site %q needs a name of its own", s.Name)
		}
		names[s.Name] = true
		if err := errors.Join(s.Deliver.validate(), s.POP3.validate()); err != nil {
			return err
		}
	}
	if c.Wait <= 0 {
		c.Wait = 30 * time.Second
	}
	if c.Every <= 0 {
		c.Every = 250 * time.Millisecond
	}
	return validateLogins([]Login{c.Login})
}

// Probe sends a message through each site, waits until each site lists the message, gets the message, compares
// each octet, and removes the message again. The message has a random token in a header field; Probe gets and
// removes no other message. Before a message is sent, at least one site must show the maildrop. A message whose
// fate is unknown is looked for once more, for ProbeConfig.Wait, and removed.
//
// The report has every step. Errors: a mistake in cfg, with an empty report; *ProbeFault, the first failed step.
func Probe(ctx context.Context, cfg ProbeConfig) (ProbeReport, error) {
	if err := cfg.validate(); err != nil {
		return ProbeReport{}, err
	}
	p := &probe{cfg: cfg, report: ProbeReport{Account: cfg.Login.Name}}
	p.signIn(ctx)
	for from := range cfg.Sites {
		if !p.anyOpen() || ctx.Err() != nil {
			break
		}
		p.send(ctx, from)
	}
	p.report.OK = true
	for i := range p.report.Steps {
		if s := p.report.Steps[i]; s.err != nil {
			p.report.OK = false
			return p.report, &ProbeFault{s}
		}
	}
	return p.report, ctx.Err()
}

// probe is a run of Probe.
type probe struct {
	cfg   ProbeConfig
	looks []*look // by site; nil: the site does not show the maildrop

	mu     sync.Mutex
	report ProbeReport
}

// note adds a step to the report and returns err.
func (p *probe) note(step, from, site string, began time.Time, err error) error {
	s := ProbeStep{Step: step, From: from, Site: site, Seconds: time.Since(began).Seconds(), err: err}
	if err != nil {
		s.Fault = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Steps = append(p.report.Steps, s)
	return err
}

// signIn lists the maildrop at each site, so later looks skip the present messages.
func (p *probe) signIn(ctx context.Context) {
	p.looks = make([]*look, len(p.cfg.Sites))
	for i, site := range p.cfg.Sites {
		l := &look{target: site.POP3, login: p.cfg.Login, others: map[string]bool{}}
		if p.note(StepSignIn, "", site.Name, time.Now(), l.begin(ctx)) == nil {
			p.looks[i] = l
		}
	}
}

// anyOpen reports whether a site shows the maildrop.
func (p *probe) anyOpen() bool {
	for _, l := range p.looks {
		if l != nil {
			return true
		}
	}
	return false
}

// send sends a message through a site, and looks for the message at each site.
func (p *probe) send(ctx context.Context, from int) {
	t := token{seed: rand.Uint64(), number: 1, size: MinSize * 2}
	name := p.cfg.Sites[from].Name
	taken, sure, err := p.deliver(ctx, from, t)
	if err != nil && sure {
		return // the server has not taken the message
	}
	seen := make([]bool, len(p.looks))
	if err == nil {
		var waiting sync.WaitGroup
		for i, l := range p.looks {
			if l != nil {
				waiting.Go(func() { seen[i] = p.await(ctx, name, p.cfg.Sites[i].Name, l, t, taken) == nil })
			}
		}
		waiting.Wait()
	}
	order := []int{from} // removal begins where the message came in
	for i := range seen {
		if i != from {
			order = append(order, i)
		}
	}
	for _, i := range order {
		if seen[i] {
			p.getAndRemove(ctx, name, i, t)
			return
		}
	}
	p.clean(ctx, order, t)
}

// deliver sends the message, and returns the time of the reply. sure is set if the error proves the message
// was not stored.
func (p *probe) deliver(ctx context.Context, from int, t token) (taken time.Time, sure bool, err error) {
	site := p.cfg.Sites[from]
	began := time.Now()
	defer func() { _ = p.note(StepDeliver, site.Name, site.Name, began, err) }()
	c, err := dialMail(ctx, site.Deliver, &DeliverConfig{Protocol: site.Protocol, From: p.cfg.From}, nil)
	if err != nil {
		return taken, true, err
	}
	defer c.link.close()
	var d delivery
	d.prepare(t, []string{p.cfg.Login.Name})
	err = c.send(&d)
	taken = time.Now()
	switch d.outcomes[0] {
	case outcomeTaken:
		return taken, false, nil
	case outcomeRefused, outcomeUnsent:
		sure = true
	}
	if err == nil {
		err = &replyError{"message", d.replies[0]}
	}
	return taken, sure, err
}

// await waits until a site lists the message.
func (p *probe) await(ctx context.Context, from, site string, l *look, t token, taken time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Wait)
	defer cancel()
	return p.note(StepVisible, from, site, taken, p.find(ctx, l, t))
}

// find looks for the message until the end of ctx.
func (p *probe) find(ctx context.Context, l *look, t token) error {
	end, _ := ctx.Deadline()
	var fault error
	for {
		found, err := l.find(ctx, t)
		switch {
		case found:
			return nil
		case ctx.Err() == nil && time.Now().Before(end): // otherwise the end of ctx is the cause
			fault = err
		}
		select {
		case <-ctx.Done():
			if fault != nil {
				return fmt.Errorf("%w within %v, and the last look failed: %w", ErrNotVisible, p.cfg.Wait, fault)
			}
			return fmt.Errorf("%w within %v", ErrNotVisible, p.cfg.Wait)
		case <-time.After(p.cfg.Every):
		}
	}
}

// patience bounds the removal of a message after the probe was cancelled.
const patience = 10 * time.Second

// lasting returns a context for the removal, which outlives a cancelled probe by patience.
func (p *probe) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := p.cfg.Wait
	if ctx.Err() != nil {
		limit = min(limit, patience)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

// getAndRemove gets the message at a site, and removes it.
func (p *probe) getAndRemove(ctx context.Context, from string, site int, t token) {
	ctx, cancel := p.lasting(ctx)
	defer cancel()
	l, name := p.looks[site], p.cfg.Sites[site].Name
	_ = p.note(StepRetrieve, from, name, time.Now(), l.compare(ctx, t))
	if err := p.note(StepRemove, from, name, time.Now(), l.remove(ctx, t)); err != nil && !errors.Is(err, ErrProbeGone) {
		p.leave(t)
	}
}

// clean looks for a message of unknown outcome, or not shown by any site, and removes the message at the first
// site with the message.
func (p *probe) clean(ctx context.Context, order []int, t token) {
	ctx, cancel := p.lasting(ctx)
	defer cancel()
	for {
		for _, i := range order {
			if l := p.looks[i]; l != nil {
				if found, _ := l.find(ctx, t); found && l.remove(ctx, t) == nil {
					return
				}
			}
		}
		select {
		case <-ctx.Done():
			p.leave(t)
			return
		case <-time.After(p.cfg.Every):
		}
	}
}

func (p *probe) leave(t token) { p.report.Left = append(p.report.Left, t.String()) }
