package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
)

// Config describes a run. Equal configurations make equal runs.
type Config struct {
	Seed uint64
	// Datacenters is the count of datacenters; Nodes, Racks and Servers count in each.
	Datacenters, Nodes, Racks, Servers int
	// Replicas is the count of replicas in each datacenter.
	Replicas int
	// Failover lets servers use another datacenter while the local nodes are away.
	Failover bool
	// Durability is the durability of mail, removals and changes; empty: local.
	Durability mail.Durability
	// Accounts is the count of addresses.
	Accounts int
	// Length is the time with clients and faults.
	Length time.Duration
	// SendEvery, FetchEvery and OwnerEvery are the mean pauses of each sender, fetcher and admin; Senders and
	// Fetchers count them.
	SendEvery, FetchEvery, OwnerEvery time.Duration
	Senders, Fetchers                 int
	// KeepEvery is set if fetchers never remove each message whose number is a multiple of it.
	KeepEvery int
	Pace      Pace
	// Faults are the faults; nil: none.
	Faults []Fault
	// Brief ends the run soon after the first broken promise.
	Brief bool
	// Defect changes the statements of all servers; nil: no defect.
	Defect Defect
	// Statements receives a line for each statement; nil: none.
	Statements io.Writer
	// Dir is a folder for files of the servers.
	Dir string
	// Verbose receives the log of the servers; nil: no log.
	Verbose *slog.Logger
}

// Defect changes a statement, skips the statement, or keeps it.
type Defect func(st driver.Statement) (changed driver.Statement, does Effect)

// Effect is what a defect does with a statement.
type Effect int

// The effects.
const (
	Keep   Effect = iota
	Change        // the statement is sent as changed
	Skip          // the statement is not sent, and succeeds
)

// World is a run in progress.
type World struct {
	cfg     Config
	cluster *nodes
	story   *story
	model   *model
	texts   texts
	slots   []*slot
	turns   *turns
	clients sync.WaitGroup
	numbers atomic.Int64

	mu      sync.Mutex
	offered []*drop
	loss    int // nodes that lost acknowledged writes, and were not repaired

	statements atomic.Int64
	changed    atomic.Int64 // by the defect
	killed     sync.WaitGroup
	faults     atomic.Int64 // in progress
	ended      atomic.Int64 // when the last fault ended, in nanoseconds
	owners     atomic.Int64 // so far
	suspends   bool         // servers are suspended
}

// slot is the place of a server: its process changes.
type slot struct {
	cfg  serverConfig
	turn store.Turn // held while a process starts

	mu      sync.Mutex
	current *server // nil: not running
	lost    bool    // the machine is lost with its datacenter
}

// process returns the process; nil if none runs.
func (s *slot) process() *server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Result is the end of a run.
type Result struct {
	// Violations lists the broken promises. Broken is the virtual time of the first.
	Violations []string
	Broken     time.Duration
	// Story holds what happened, the middle of a long story left out.
	Story []string
	// Hash is equal for equal runs.
	Hash uint64
	Tally
	// Statements counts the statements of servers, Work the reads and writes of nodes.
	Statements, Work int64
	Faults           int
	// Changed counts the statements that the planted defect changed.
	Changed int64
}

// Add adds the counts of another run.
func (r *Result) Add(o Result) {
	r.Tally.add(o.Tally)
	r.Statements, r.Work, r.Faults = r.Statements+o.Statements, r.Work+o.Work, r.Faults+o.Faults
}

// About returns the lines of the story about the maildrops that violations name, and about faults.
func (r Result) About() []string {
	words := []string{"FAULT", "ends:", "VIOLATED", "repair"}
	for _, v := range r.Violations {
		for _, word := range strings.Fields(v) {
			if strings.HasPrefix(word, "user") {
				words = append(words, word)
			}
		}
	}
	var found []string
	for _, line := range r.Story {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
			found = append(found, line)
		}
	}
	return found
}

// Run makes a world and lets it live. It must run inside a bubble of testing/synctest. Errors: the world could
// not be made.
func Run(cfg Config) (Result, error) {
	w := &World{cfg: cfg, story: newStory(), texts: texts{cfg.Seed}, turns: newTurns(cfg.Statements)}
	w.suspends = slices.ContainsFunc(cfg.Faults, func(f Fault) bool { return f.Kind == ServerSuspended })
	w.model = newModel(w.story)
	err := w.build()
	if err == nil {
		err = w.live()
	}
	w.end()
	w.story.mu.Lock()
	r := Result{
		Violations: slices.Clone(w.story.violations), Broken: w.story.broken, Hash: w.story.hash ^ w.turns.hash.Sum64(), Tally: w.model.tally,
		Statements: w.statements.Load(), Faults: len(cfg.Faults), Changed: w.changed.Load(),
	}
	if w.cluster != nil {
		r.Work = w.cluster.work()
	}
	w.story.mu.Unlock()
	r.Story = slices.Clone(w.story.lines)
	return r, err
}

// rest is the time after a fault in which servers may not ask each other again.
const rest = time.Minute

// troubled reports whether a datacenter may not know what another one has acknowledged, and cannot ask.
func (w *World) troubled() bool {
	return w.faults.Load() > 0 || w.lossy() || time.Since(time.Unix(0, w.ended.Load())) < rest
}

// random returns the random numbers of a part of the world.
func (w *World) random(part string, number int) *rand.Rand {
	seed := w.cfg.Seed
	for _, c := range part {
		seed = seed*31 + uint64(c)
	}
	return rand.New(rand.NewPCG(seed, uint64(number)))
}

// everywhere is the place of what every datacenter has acknowledged; several is the place of what one of several
// datacenters has.
const (
	everywhere = "everywhere"
	several    = "several"
)

// place returns where something is that a server acknowledged: in the datacenter that its statements went to before
// and after, or everywhere.
func (w *World) place(before, after string) string {
	switch {
	case w.cfg.Durability == mail.DurabilityEach:
		return everywhere
	case before != after:
		return several
	}
	return before
}

// datacenter returns the name of a datacenter, from 0.
func datacenter(i int) string { return fmt.Sprintf("dc%d", i+1) }

// build makes the cluster and starts the servers.
func (w *World) build() error {
	var err error
	if w.cluster, err = newNodes(w.cfg, w.turns); err != nil {
		return err
	}
	logger := w.cfg.Verbose
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	for d := range w.cfg.Datacenters {
		for i := range w.cfg.Servers {
			name := fmt.Sprintf("server%d-%d", d+1, i+1)
			s := &slot{turn: store.NewTurn(), cfg: serverConfig{
				name: name, datacenter: datacenter(d), hosts: w.cluster.contacts(datacenter(d)), dir: filepath.Join(w.cfg.Dir, name), clock: &clock{},
				cluster: w.cluster.Server(name, datacenter(d), 0), defect: w.cfg.Defect, pace: w.cfg.Pace.apart(len(w.slots)), durability: w.cfg.Durability, failover: w.failoverOf(datacenter(d)), statements: &w.statements, changed: &w.changed, logger: logger.With("server", name),
			}}
			if err := s.makeDir(); err != nil {
				return err
			}
			w.slots = append(w.slots, s)
			if err := w.start(s); err != nil {
				return err
			}
			time.Sleep(time.Duration(137+31*len(w.slots)) * time.Millisecond) // their heartbeats do not coincide
		}
	}
	return nil
}

// failoverOf lists the datacenters that the servers of a datacenter fail over to.
func (w *World) failoverOf(name string) (list []string) {
	for d := range w.cfg.Datacenters {
		if other := datacenter(d); w.cfg.Failover && other != name {
			list = append(list, other)
		}
	}
	return list
}

// makeDir makes the folder of a server.
func (s *slot) makeDir() error { return os.MkdirAll(s.cfg.dir, 0o700) }

// start starts the process of a slot, unless one runs.
func (w *World) start(s *slot) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.process() != nil {
		return nil
	}
	if s.isLost() {
		return errLost
	}
	p, err := startServer(s.cfg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost {
		p.link.dead.Store(true)
		w.killed.Go(func() { _ = p.stop() })
		return errLost
	}
	s.current = p
	return nil
}

// kill kills the process of a slot, unless its machine is suspended.
func (w *World) kill(s *slot) {
	if s.cfg.clock.standing() {
		return
	}
	s.mu.Lock()
	p := s.current
	s.current = nil
	s.mu.Unlock()
	if p != nil {
		p.link.dead.Store(true)
		w.killed.Go(func() { _ = p.stop() })
	}
}

// revive starts the process of a slot, and tries again while the cluster does not let it start.
func (w *World) revive(ctx context.Context, s *slot) error {
	for {
		err := w.start(s)
		if err == nil || !event.Pause(ctx, 30*time.Second) {
			return err
		}
		w.story.add("%s does not start: %s", s.cfg.name, short(err))
	}
}

// live lets clients and faults act, and checks the end.
func (w *World) live() error {
	ctx := context.Background()
	a := &admin{w: w, rand: w.random("admin", 0)}
	if err := a.until(ctx, func(s *server) error { _, err := s.directory.AddDomain(ctx, domain); return err }); err != nil {
		return err
	}
	for i := range w.cfg.Accounts {
		a.make(ctx, mail.Address{Local: fmt.Sprintf("user%d", i), Domain: domain})
	}
	acting, stop := context.WithCancel(ctx)
	for i := range w.cfg.Senders {
		w.clients.Go(func() { (&sender{w: w, rand: w.random("sender", i)}).run(acting) })
	}
	for i := range w.cfg.Fetchers {
		w.clients.Go(func() { (&fetcher{w: w, rand: w.random("fetcher", i)}).run(acting) })
	}
	if w.cfg.OwnerEvery > 0 {
		w.clients.Go(func() { a.run(acting) })
	}
	w.clients.Go(func() { w.repairs(acting) })
	faults := w.inject(ctx, w.cfg.Faults)
	w.act()
	stop()
	faults()
	w.clients.Wait()
	if w.cfg.Brief && w.story.failed() {
		return nil
	}
	return w.judge(ctx)
}

// act waits while clients act.
func (w *World) act() {
	if !w.cfg.Brief {
		time.Sleep(w.cfg.Length)
		return
	}
	for end := time.Now().Add(w.cfg.Length); time.Now().Before(end) && !w.story.failed(); {
		time.Sleep(min(time.Minute, time.Until(end)))
	}
}

// repairs repairs the cluster again and again, as an operator does.
func (w *World) repairs(ctx context.Context) {
	for w.cfg.Pace.Repair > 0 && event.Pause(ctx, w.cfg.Pace.Repair) {
		_ = w.repair()
	}
}

// repair repairs the cluster. With a node that is away nothing is repaired.
func (w *World) repair() error {
	w.mu.Lock()
	loss := w.loss
	w.mu.Unlock()
	err := w.cluster.repair()
	w.story.add("repair: %v", short(err))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss -= loss
	return nil
}

// lossy reports whether a node has lost acknowledged writes, and was not repaired since.
func (w *World) lossy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loss > 0
}

// lose notes that a node has lost acknowledged writes.
func (w *World) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss++
}

// choose returns up to n different maildrops.
func (w *World) choose(r *rand.Rand, n int) []*drop {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*drop
	for _, i := range r.Perm(len(w.offered)) {
		if len(all) < n {
			all = append(all, w.offered[i])
		}
	}
	return all
}

// offer gives a maildrop to the clients.
func (w *World) offer(d *drop) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offered = append(w.offered, d)
}

// take takes a maildrop from the clients, and reports whether they had it.
func (w *World) take(d *drop) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.offered)
	w.offered = slices.DeleteFunc(w.offered, func(o *drop) bool { return o == d })
	return len(w.offered) < before
}

// server returns a server that answers: often last, if it does. Nil: none answers.
func (w *World) server(r *rand.Rand, last *server) *server {
	if last != nil && last.answers() && r.IntN(3) > 0 {
		return last
	}
	for _, i := range r.Perm(len(w.slots)) {
		if p := w.slots[i].process(); p != nil && p.answers() {
			return p
		}
	}
	return nil
}

// end ends all processes and the cluster.
func (w *World) end() {
	for _, s := range w.slots {
		w.kill(s)
	}
	w.killed.Wait()
	if w.cluster != nil {
		w.cluster.Close()
	}
}

// draw returns a pause with a mean.
func draw(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.ExpFloat64() * float64(mean))
}

// short returns the first line of an error, "ok" without an error.
func short(err error) string {
	if err == nil {
		return "ok"
	}
	if errors.Is(err, errDied) {
		return errDied.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text[:min(len(text), 200)]
}
