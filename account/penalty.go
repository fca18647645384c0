package account

import (
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Penalties. Failed logins are counted by address, by network, by region (IPv6) and by account
// and network. A count halves in each PenaltyHalfLife. A place with more than PenaltyAfter
// failures has its next logins checked one after another, with a pause between two that
// doubles with each further failure up to PenaltyMax. Wider places have a larger allowance and
// a slower doubling: see weights.
const (
	// firstPause is the pause after the first failure over the allowance.
	firstPause = time.Second
	// longestHold is the longest time that a login waits for its penalty to pass. A login that would
	// wait longer is refused at once.
	longestHold = 5 * time.Second
	// guessesKept is the number of different wrong guesses remembered for one address. A
	// repeated guess, such as from a mail program with an old password, counts little.
	guessesKept = 16
	// repeatedCost is the count of a repeated guess.
	repeatedCost = 0.02
)

// The weights of places: one failure counts for 1/weight of the allowance of a place.
const (
	addressWeight = 1
	networkWeight = 5
	regionWeight  = 25
	pairWeight    = 1
)

// tally is the failures of one place.
type tally struct {
	failures float64 // as of at
	at       int64   // nanoseconds since the epoch
	ready    int64   // the next login is checked then at the earliest
	guesses  []guess // wrong guesses, at an address only
	oldest   uint8   // index of the oldest in guesses once there are guessesKept
	hungUp   int64   // a client last left the queue then, as for at; at an address only
}

// decay updates t.failures to the moment now.
func (t *tally) decay(now int64, halfLife time.Duration) {
	if passed := now - t.at; passed > 0 {
		t.failures *= math.Exp2(-float64(passed) / float64(halfLife))
	}
	t.at = now
}

// repeated reports whether g is among the latest wrong guesses.
func (t *tally) repeated(g guess) bool {
	for _, known := range t.guesses {
		if known == g {
			return true
		}
	}
	return false
}

func (t *tally) remember(g guess) {
	if len(t.guesses) < guessesKept {
		t.guesses = append(t.guesses, g)
		return
	}
	t.guesses[t.oldest] = g
	t.oldest = (t.oldest + 1) % guessesKept
}

// penalties holds the failures of clients and the origins of successful logins, in bounded memory.
// Safe for concurrent use.
type penalties struct {
	seed maphash.Seed

	mu        sync.Mutex
	after     float64       // failures without a penalty, for weight 1
	max       time.Duration // the longest pause
	halfLife  time.Duration
	knownFor  time.Duration
	addresses *recent[netip.Prefix, tally]
	networks  *recent[netip.Prefix, tally]
	regions   *recent[netip.Prefix, tally]
	pairs     *recent[accountAt, tally]     // account and network, account and address
	logins    *recent[accountAt, lastLogin] // by account and address
	metrics   *metrics
}

// lastLogin is the last successful login of an account from an address.
type lastLogin struct {
	at    int64 // nanoseconds since the epoch
	guess guess
}

func newPenalties(cfg Config, m *metrics) *penalties {
	return &penalties{
		after: float64(cfg.PenaltyAfter), max: cfg.PenaltyMax, halfLife: cfg.PenaltyHalfLife, knownFor: cfg.KnownFor,
		seed:      maphash.MakeSeed(),
		addresses: newRecent[netip.Prefix, tally](cfg.PenaltyMemory),
		networks:  newRecent[netip.Prefix, tally](cfg.PenaltyMemory),
		regions:   newRecent[netip.Prefix, tally](cfg.PenaltyMemory),
		pairs:     newRecent[accountAt, tally](cfg.PenaltyMemory),
		logins:    newRecent[accountAt, lastLogin](cfg.PenaltyMemory),
		metrics:   m,
	}
}

// off reports whether failures are counted at all.
func (p *penalties) off() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.after < 0
}

// set changes the settings of penalties. Failures that were counted stay.
func (p *penalties) set(cfg Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.max, p.halfLife, p.knownFor = float64(cfg.PenaltyAfter), cfg.PenaltyMax, cfg.PenaltyHalfLife, cfg.KnownFor
}

// SetPenalties takes PenaltyAfter, PenaltyMax, PenaltyHalfLife and KnownFor from cfg. Failed logins that
// were counted stay.
func (d *Directory) SetPenalties(cfg Config) { d.penalties.set(cfg.withDefaults()) }

// place is one tally that counts a login.
type place struct {
	weight float64
	tally  *tally
}

// places returns the existing tallies that delay a login. A login from a known address of its account
// is delayed by failures of the same account at the same address only.
func (p *penalties) places(from client, account uint64, known bool) []place {
	if known {
		return existing(place{pairWeight, p.pairs.get(accountAt{account, from.address})})
	}
	return existing(
		place{pairWeight, p.pairs.get(accountAt{account, from.network})},
		place{addressWeight, p.addresses.get(from.address)},
		place{networkWeight, p.networks.get(from.network)},
		place{regionWeight, p.regions.get(from.region)},
	)
}

func existing(places ...place) []place {
	return slices.DeleteFunc(places, func(l place) bool { return l.tally == nil })
}

// allPlaces returns the tallies that count a failure, and adds missing tallies.
func (p *penalties) allPlaces(from client, account uint64) []place {
	all := []place{
		{pairWeight, p.pairs.add(accountAt{account, from.address})},
		{pairWeight, p.pairs.add(accountAt{account, from.network})},
		{addressWeight, p.addresses.add(from.address)},
		{networkWeight, p.networks.add(from.network)},
	}
	if from.region.IsValid() {
		all = append(all, place{regionWeight, p.regions.add(from.region)})
	}
	return all
}

// pause returns the time between two logins from a place; zero without a penalty.
func (p *penalties) pause(l place, now int64) time.Duration {
	l.tally.decay(now, p.halfLife)
	over := l.tally.failures/l.weight - p.after
	if over <= 0 {
		return 0
	}
	return min(p.max, time.Duration(float64(firstPause)*math.Exp2(min(over-1, 30))))
}

// wait returns the time until the next login from a place may be checked; zero or less: at once. A
// moment that lies further ahead than any pause was set by a clock that has gone back since.
func (p *penalties) wait(l place, now int64) time.Duration {
	l.tally.ready = min(l.tally.ready, now+int64(p.max+longestHold))
	return time.Duration(l.tally.ready - now)
}

// lastLogin returns the combination of the last login of an account from an address, if the login is
// younger than knownFor.
func (p *penalties) lastLogin(from client, account uint64, now time.Time) (guess, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.logins.get(accountAt{account, from.address})
	if last == nil {
		return 0, false
	}
	last.at = min(last.at, now.UnixNano()) // otherwise a clock has gone back since
	if now.UnixNano()-last.at >= int64(p.knownFor) {
		return 0, false
	}
	return last.guess, true
}

// admit decides about a login. ok: the login may be checked after wait. Otherwise a login may succeed
// again after wait. reserved: the login delays later logins, and no further penalty applies to the
// login itself.
func (p *penalties) admit(from client, account uint64, known bool, now time.Time) (wait time.Duration, reserved, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nanos := now.UnixNano()
	for _, l := range p.places(from, account, known) {
		wait = max(wait, p.wait(l, nanos))
	}
	if wait > longestHold {
		p.metrics.penalties.WithLabelValues("refused").Inc()
		return wait, false, false
	}
	for _, l := range p.places(from, account, known) {
		if pause := p.pause(l, nanos); pause > 0 {
			l.tally.ready = nanos + int64(wait+pause)
			reserved = true
		}
	}
	if wait > 0 {
		p.metrics.penalties.WithLabelValues("held").Inc()
	}
	return wait, reserved, true
}

// heldBack reports whether a login would have to wait now.
func (p *penalties) heldBack(from client, account uint64, known bool, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.places(from, account, known) {
		if p.wait(l, now.UnixNano()) > 0 {
			return true
		}
	}
	return false
}

// failed counts a wrong guess. penalized reports whether the guess gave the address its first
// penalty.
func (p *penalties) failed(from client, account uint64, g guess, now time.Time) (penalized bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	address, cost := p.addresses.add(from.address), 1.0
	if address.repeated(g) {
		cost = repeatedCost
	} else {
		address.remember(g)
	}
	nanos := now.UnixNano()
	for _, l := range p.allPlaces(from, account) {
		before := p.pause(l, nanos)
		l.tally.failures += cost
		pause := p.pause(l, nanos)
		if pause > 0 {
			l.tally.ready = nanos + int64(max(pause, p.wait(l, nanos)))
		}
		penalized = penalized || l.tally == address && before == 0 && pause > 0
	}
	return penalized
}

// repeated reports whether g is among the latest wrong guesses of the address.
func (p *penalties) repeated(from client, g guess) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.addresses.get(from.address)
	return t != nil && t.repeated(g)
}

// leftQueue notes that a client hung up while its login waited for a hash. The hang-up counts as no
// failure, because the server may just be slow, but the next login goes behind other clients.
func (p *penalties) leftQueue(from client, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addresses.add(from.address).hungUp = now.UnixNano()
}

// suspect reports whether clients at an address have failed to log in, or hung up, lately.
func (p *penalties) suspect(from client, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.addresses.get(from.address)
	if t == nil {
		return false
	}
	t.decay(now.UnixNano(), p.halfLife)
	t.hungUp = min(t.hungUp, now.UnixNano()) // as lastLogin
	return t.failures >= 1 || now.UnixNano()-t.hungUp < int64(p.halfLife)
}

// succeeded notes a successful login of an account from an address with a combination.
func (p *penalties) succeeded(from client, account uint64, g guess, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*p.logins.add(accountAt{account, from.address}) = lastLogin{now.UnixNano(), g}
}
