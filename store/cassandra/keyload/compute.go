package keyload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store/cassandra"
	"popelago/store/cassandra/murmur"
)

// datacenterName is the datacenter in which all messages are removed.
const datacenterName = "dc1"

// domainName returns the name of domain n, from 0.
func domainName(n int64) string { return "example" + strconv.FormatInt(n+1, 10) + ".test" }

// start is the hour for which loads are computed, and the first of hours that are tried.
var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC).UnixMicro()

const (
	hour  = 3_600_000_000 // microseconds
	hours = 24
)

// A table of the engine, as an index of loads.
const (
	inMailbox = iota
	inContent
	inTrash
	inFloor
	inAddress
	inDomain
	inLedger
	inServer
	inLogin
	inTrace
	inAudit
	inQueue
	tables
)

var tableNames = [tables]string{"mailbox", "content", "trash", "floor", "address", "domain", "ledger", "server", "login", "trace", "audit", "queue"}

// load is the load of one replica.
type load struct {
	octets   float64
	requests float64 // a second
}

func (l *load) add(m load) { l.octets, l.requests = l.octets+m.octets, l.requests+m.requests }

// scaled returns a multiple of a load.
func (l load) scaled(by float64) load { return load{l.octets * by, l.requests * by} }

// partition is a partition with many accounts: a shard.
type partition struct {
	mailbox mail.MailboxID // one of them
	load
	rows float64
}

// shards are partitions by key.
type shards map[string]*partition

func (s shards) at(key []byte) *partition {
	p := s[string(key)]
	if p == nil {
		p = &partition{}
		s[string(key)] = p
	}
	return p
}

// sums are the loads of some accounts.
type sums struct {
	spread *spread
	byPart [tables][]load // by interval of the spread
	shards [tables]shards
	// The largest partitions of ordinary mailboxes and of days, in octets.
	ordinary, day float64
}

func newSums(s *spread) *sums {
	n := &sums{spread: s}
	for t := range tables {
		n.byPart[t] = make([]load, len(s.ends))
		n.shards[t] = shards{}
	}
	return n
}

// put adds the load of a partition.
func (s *sums) put(table int, key []byte, l load) {
	s.byPart[table][s.spread.part(murmur.Token(key))].add(l)
}

// merge adds the sums of other accounts.
func (s *sums) merge(o *sums) {
	for t := range tables {
		for i, l := range o.byPart[t] {
			s.byPart[t][i].add(l)
		}
		for key, p := range o.shards[t] {
			q := s.shards[t].at([]byte(key))
			q.add(p.load)
			q.rows += p.rows
			q.mailbox = p.mailbox
		}
	}
	s.ordinary, s.day = max(s.ordinary, o.ordinary), max(s.day, o.day)
}

// Compute computes the loads of a workload on clusters. seed makes the random tokens of nodes. done, which may be
// nil, is called with the part of the work that is done, by several goroutines.
func Compute(ctx context.Context, w Workload, clusters []Cluster, seed uint64, done func(float64)) (*Report, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	if len(clusters) == 0 {
		return nil, errors.New("keyload: no cluster")
	}
	random := rand.New(rand.NewPCG(seed, 0))
	var rings [][]rack
	for _, c := range clusters {
		if c.Nodes < replicas || c.Tokens < 1 {
			return nil, fmt.Errorf("keyload: %d nodes with %d tokens: want at least %d nodes in a datacenter, and a token", c.Nodes, c.Tokens, replicas)
		}
		rings = append(rings, c.racks(random))
	}
	total, err := account(ctx, w, newSpread(rings), done)
	if err != nil {
		return nil, err
	}
	total.addShared(w)
	report := &Report{Workload: w, Partitions: total.largest(w)}
	for i, c := range clusters {
		report.Clusters = append(report.Clusters, total.nodes(w, c, rings[i]))
	}
	return report, nil
}

// account sums up the loads of all accounts.
func account(ctx context.Context, w Workload, s *spread, done func(float64)) (*sums, error) {
	const piece = 20_000
	scale := 1 / zipf(w.Accounts, w.Skew)
	var (
		mu    sync.Mutex
		next  int64 = 1
		wait  sync.WaitGroup
		total = newSums(s)
	)
	take := func() (int64, int64) {
		mu.Lock()
		defer mu.Unlock()
		first := next
		next = min(next+piece, w.Accounts+1)
		if done != nil {
			done(float64(next) / float64(w.Accounts+1))
		}
		return first, next
	}
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			some := newSums(s)
			for ctx.Err() == nil {
				first, end := take()
				if first == end {
					break
				}
				for rank := first; rank < end; rank++ {
					some.addAccount(w, rank, scale*math.Pow(float64(rank), -w.Skew))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.merge(some)
		})
	}
	wait.Wait()
	for n := range w.Bulk {
		total.addBulk(w, int64(n+1))
	}
	return total, ctx.Err()
}

// addAccount adds the account of a rank, which gets a part of all messages.
func (s *sums) addAccount(w Workload, rank int64, part float64) {
	daily := part * w.Daily * float64(w.Accounts)
	a := mail.Address{Local: "user" + strconv.FormatInt(rank, 10), Domain: domainName(rank % w.Domains)}
	s.addMailbox(w, a, daily, part*w.Messages, w.perSecond(w.Polls), part*w.Messages > w.BulkAfter)
}

// addBulk adds a bulk mailbox, which is emptied all the time.
func (s *sums) addBulk(w Workload, n int64) {
	a := mail.Address{Local: "bulk" + strconv.FormatInt(n, 10), Domain: domainName(n % w.Domains)}
	s.addMailbox(w, a, w.BulkDaily, w.BulkDaily, 1.0/bulkPoll, true)
}

// addMailbox adds a mailbox with messages, new ones every day, and logins a second.
func (s *sums) addMailbox(w Workload, a mail.Address, daily, messages, logins float64, bulk bool) {
	var buffer [128]byte
	b := buffer[:0]
	mailbox := mail.DeriveMailboxID(a, mail.MessageID{})
	arrivals := w.perSecond(daily)
	emptied := min(arrivals, logins) // sessions that remove something

	swept := min(arrivals, 1.0/3600)
	if bulk {
		s.addDays(w, mailbox, daily, messages, logins, emptied+swept)
	} else {
		key := cassandra.AppendMailboxKey(b, mailbox, start, false)
		octets := messages * mailboxRow
		s.put(inMailbox, key, load{octets, arrivals + w.reads(logins*max(1, math.Ceil(messages/listed))) + emptied + swept})
		s.ordinary = max(s.ordinary, octets+min(daily*10, w.BulkAfter)*removedRow)
	}
	key := cassandra.AppendMailboxRowKey(b, mailbox)
	s.put(inFloor, key, load{0, w.reads(logins)})
	s.put(inLogin, key, load{loginRow, min(logins, float64(w.Servers*w.Datacenters)/3600)})

	p := s.shards[inAddress].at(cassandra.AppendAddressKey(b, a.Domain, a.Local))
	p.add(load{addressRow, w.reads(logins + arrivals)})
	p.rows++

	p = s.shards[inTrash].at(cassandra.AppendTrashKey(b, datacenterName, start, mailbox))
	p.mailbox = mailbox
	p.add(load{arrivals * 3600 * trashRow, emptied + arrivals/500*2}) // read, and removed, 500 at a time
	p.rows += arrivals * 3600

	logged := w.Polls
	if bulk {
		logged = logins * 86400
	}
	journal := func(table int, key string, rows, octets float64) {
		p := s.shards[table].at(cassandra.AppendJournalKey(b, start, key))
		p.rows += rows
		p.octets += rows * octets
	}
	if w.Trace {
		journal(inTrace, "a"+a.String(), traceOfAccount*daily, traceRow)
		journal(inTrace, "l"+a.String(), logged, traceRow)
	}
	if w.Audit {
		journal(inAudit, "a"+a.String(), auditOfAccount*daily+logged, auditRow)
	}
}

// addDays adds the segments of a bulk mailbox. A login reads the ordinary segment and all days up to tomorrow.
func (s *sums) addDays(w Workload, mailbox mail.MailboxID, daily, messages, logins, writes float64) {
	var buffer [64]byte
	arrivals := w.perSecond(daily)
	days := max(1, int(math.Ceil(messages/daily)))
	look := load{0, w.reads(logins)}
	s.put(inMailbox, cassandra.AppendMailboxKey(buffer[:0], mailbox, start, false), look)
	for day := -1; day < days; day++ { // from tomorrow back
		l := look
		if day >= 0 {
			l.octets = min(daily, messages/float64(days)) * mailboxRow
		}
		if day == 0 {
			l.requests += arrivals + writes + w.reads(logins*math.Floor(messages/listed))
		}
		s.put(inMailbox, cassandra.AppendMailboxKey(buffer[:0], mailbox, start-int64(day)*24*hour, true), l)
	}
	s.day = max(s.day, daily*mailboxRow)
}

// addShared adds what does not belong to an account.
func (s *sums) addShared(w Workload) {
	var b []byte
	servers := float64(w.Servers)
	for n := range w.Domains {
		s.put(inDomain, cassandra.AppendNameKey(b, domainName(n)), load{domainRow, servers / addressCache * 2 / replicas})
	}
	for n := range w.Datacenters {
		name := "dc" + strconv.Itoa(n+1)
		s.put(inServer, cassandra.AppendServerKey(b, name), load{servers * serverRow, servers/heartbeat + servers/heartbeat*2/replicas})
	}

	// The rows of a message are found by its id: spread evenly over the shards.
	daily := w.Daily*float64(w.Accounts) + float64(w.Bulk)*w.BulkDaily
	if w.Trace {
		for _, p := range s.shards[inTrace] {
			p.rows += traceOfMessage * daily / float64(len(s.shards[inTrace]))
			p.octets = p.rows * traceRow
		}
	}
	if w.Queue { // a row for each message; a list for each server, part and hour
		const parts = 4
		lists := w.Datacenters * w.Servers * parts * hours
		for n := range lists {
			lane := fmt.Sprintf("%016x-%016x %d %d", start, n/(parts*hours), n%parts, n/parts%hours)
			p := s.shards[inQueue].at(cassandra.AppendJournalKey(b, start, lane))
			p.rows += daily / float64(lists)
			p.octets = p.rows * queueRow
		}
	}
	flushes := servers * float64(w.Datacenters) / flush
	for _, t := range []int{inTrace, inAudit, inQueue} {
		for _, p := range s.shards[t] {
			p.requests = min(w.perSecond(p.rows), flushes)
		}
	}
	for _, t := range []int{inAddress, inTrace, inAudit, inQueue} {
		kept := 1.0
		if t != inAddress {
			kept = w.Kept.Hours() / 24
		}
		for key, p := range s.shards[t] {
			s.put(t, []byte(key), load{p.octets * kept, p.requests})
		}
	}
}

// contents is the load of all contents: written, retrieved, verified at ALL and removed. The reaper verifies chunk 0.
func contents(w Workload) load {
	messages := w.Messages + float64(w.Bulk)*w.BulkDaily
	chunks := float64(cassandra.Chunks(w.Size))
	rate := w.perSecond(w.Daily*float64(w.Accounts) + float64(w.Bulk)*w.BulkDaily)
	return load{messages * (float64(w.Size) + chunks*contentRow), rate * (chunks + w.reads(1)*chunks + 1 + chunks)}
}

// nodes computes the loads of the nodes of a cluster.
func (s *sums) nodes(w Workload, c Cluster, racks []rack) ClusterLoad {
	base := make([][tables]load, c.Nodes)
	owned := make([]float64, c.Nodes)
	content := contents(w)
	for _, r := range racks {
		for i, end := range s.spread.ends {
			node := r.owner(end)
			width := s.spread.width(i)
			owned[node] += width
			base[node][inContent].add(content.scaled(width))
			for t := range tables {
				base[node][t].add(s.byPart[t][i])
			}
		}
	}
	kept := (w.Undelete.Hours() + 2) / hours
	for h := range int64(hours) { // the trash of all hours that are kept
		for _, p := range s.shards[inTrash] {
			token := murmur.Token(cassandra.AppendTrashKey(nil, datacenterName, start+h*hour, p.mailbox))
			for _, r := range racks {
				base[r.owner(token)][inTrash].octets += p.octets * kept
			}
		}
	}
	result := ClusterLoad{Cluster: c, Owned: ratio(owned, func(x float64) float64 { return x })}
	result.Octets, result.OctetsTable = hottest(base, func(l load) float64 { return l.octets })
	rate := w.perSecond(w.Daily*float64(w.Accounts)+float64(w.Bulk)*w.BulkDaily) * w.Faults
	for h := range int64(hours) {
		loads := slices.Clone(base)
		for _, r := range racks {
			for _, p := range s.shards[inTrash] {
				token := murmur.Token(cassandra.AppendTrashKey(nil, datacenterName, start+h*hour, p.mailbox))
				loads[r.owner(token)][inTrash].requests += p.requests
			}
			for n := range w.Datacenters {
				token := murmur.Token(cassandra.AppendLedgerKey(nil, "dc"+strconv.Itoa(n+1), start+h*hour))
				requests := rate / float64(w.Datacenters)
				if n == 0 { // the datacenter of the nodes: its servers read it
					requests += float64(w.Servers) / ledgerPoll * 2 / replicas
				}
				loads[r.owner(token)][inLedger].requests += requests
			}
		}
		if requests, table := hottest(loads, func(l load) float64 { return l.requests }); requests.Ratio > result.Requests.Ratio {
			result.Requests, result.RequestsTable = requests, table
		}
	}
	return result
}

// hottest compares the node with the largest load with the mean, and names the table with the largest part of the
// difference.
func hottest(loads [][tables]load, of func(load) float64) (Hottest, string) {
	all := make([]float64, len(loads))
	for i := range loads {
		for _, l := range loads[i] {
			all[i] += of(l)
		}
	}
	h := Hottest{Node: slices.Index(all, slices.Max(all)), Ratio: ratio(all, func(x float64) float64 { return x })}
	h.Value = all[h.Node]
	table, most := "", 0.0
	for t := range tables {
		mean := 0.0
		for i := range loads {
			mean += of(loads[i][t]) / float64(len(loads))
		}
		if more := of(loads[h.Node][t]) - mean; more > most {
			table, most = tableNames[t], more
		}
	}
	return h, table
}

// ratio returns the largest value as a multiple of the mean.
func ratio[T any](values []T, of func(T) float64) float64 {
	sum, most := 0.0, 0.0
	for _, v := range values {
		sum, most = sum+of(v), max(most, of(v))
	}
	if sum == 0 {
		return 1
	}
	return most * float64(len(values)) / sum
}
