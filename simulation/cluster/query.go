package cluster

import (
	"math"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/murmur"
)

// defaultPage is the size of a page for a statement without one, as in the driver for Go.
const defaultPage = 5000

// query is a statement that reads, in progress at a coordinator. It reads the ring in one or more steps: one
// for a single partition, and one for each run of the ring otherwise.
type query struct {
	cluster   *Cluster
	request   *request
	plan      *plan
	outcome   outcome
	size      int   // of the page; zero: no pages
	remaining int   // rows until LIMIT
	to        int64 // of a scan: the last token
	next      int   // of a scan: the next range of the ring
	width     int   // of a scan: how many ranges the next step reads
	wait      *deadlines
	deadline  deadline
	step      *step
	firstStep step // has the command; most queries need no other step
}

// command is the command of the first step.
func (q *query) command() *readCommand { return &q.firstStep.command }

// resumesIn reports whether an earlier page ended in a partition.
func (q *query) resumesIn(p *partition) bool {
	c := q.command()
	return c.resumes && c.resumed == p.key
}

// startRead executes a request that reads.
func (c *Cluster) startRead(r *request) {
	q := &query{cluster: c, request: r, plan: r.plan, size: r.pageSize, wait: c.reads, width: 16}
	if err := q.prepare(); err != nil {
		c.respond(r, result{}, err)
		return
	}
	if q.plan.partition == nil {
		c.counters.Scans++
		q.wait = c.scans
	} else {
		c.counters.Reads++
	}
	q.wait.start(&q.deadline, q)
	q.advance()
}

// prepare evaluates the statement.
func (q *query) prepare() error {
	p, values, now := q.plan, q.request.values[0], q.request.node.moment().second
	if q.size == 0 {
		q.size = defaultPage
	}
	limit, set, err := p.limit.number(values, scalars["int"], "limit")
	if err != nil {
		return err
	}
	if set && limit <= 0 {
		return invalid("LIMIT must be strictly positive")
	}
	q.remaining = math.MaxInt32
	if set {
		q.remaining = int(limit)
	}
	selected, err := p.selection(values)
	if err != nil {
		return err
	}
	c := q.command()
	*c = readCommand{
		table: p.table, intervals: selected.intervals, reversed: p.reversed, full: p.full, now: now, failAt: q.cluster.config.FailTombstones,
		scan: p.partition == nil, from: place{token: math.MinInt64}, to: math.MaxInt64,
	}
	if p.partition != nil {
		if c.key, c.token = q.request.key, q.request.token; c.key == "" {
			if c.key, err = p.key(values); err != nil {
				return err
			}
			c.token = murmur.Token([]byte(c.key))
		}
	} else if err := q.prepareScan(values); err != nil {
		return err
	}
	if err := q.resume(); err != nil {
		return err
	}
	q.to = c.to
	q.outcome = outcome{plan: p, now: now, limit: min(q.size, q.remaining)}
	return nil
}

// prepareScan evaluates the conditions on the token.
func (q *query) prepareScan(values []value) error {
	for i := range q.plan.scanned {
		r := &q.plan.scanned[i]
		token, set, err := r.value.number(values, scalars["bigint"], "token")
		if err != nil {
			return err
		}
		if !set {
			return invalid("Invalid null token value")
		}
		c := q.command()
		switch r.sign {
		case ">":
			c.from = place{token: token, kind: afterToken}
		case ">=":
			c.from = place{token: token}
		case "<":
			if token == math.MinInt64 {
				c.to = token
			} else {
				c.to = token - 1
			}
		case "<=":
			c.to = token
		default:
			c.from, c.to = place{token: token}, token
		}
	}
	return nil
}

// resume goes to the position of the page.
func (q *query) resume() error {
	if len(q.request.page) == 0 {
		return nil
	}
	at, err := decodePage(q.request.page)
	if err != nil {
		return err
	}
	c := q.command()
	q.remaining = at.remaining
	c.resumes, c.resumed, c.after = true, at.key, at.position
	if c.scan {
		c.from = place{token: at.token, key: at.key, kind: beforeKey}
	}
	return nil
}

// advance starts the next step, or answers.
func (q *query) advance() {
	c := q.cluster
	s := &q.firstStep
	if q.step != nil {
		s = &step{command: *q.command()}
		s.command.from, s.command.to = place{token: q.step.command.to, kind: afterToken}, q.to
	}
	s.query = q
	if !s.command.scan {
		s.ranges = append(s.rangeSpace[:0], c.ring.rangeOf(s.command.token))
	} else {
		q.scanRanges(s)
	}
	s.command.limit = q.outcome.limit - len(q.outcome.rows)
	if err := s.choose(); err != nil {
		q.answer(result{}, err)
		return
	}
	q.step = s
	s.ask(s.nodes)
	if c.config.Speculate > 0 && q.request.consistency != gocql.EachQuorum {
		c.patience.start(&s.patience, s)
	}
}

// scanRanges gives the next ranges of the ring to a step.
func (q *query) scanRanges(s *step) {
	ring := q.cluster.ring
	if q.next == 0 && s.command.from.token > ring.tokens[0] {
		if q.next = ring.rangeOf(s.command.from.token); q.next == 0 {
			q.next = len(ring.tokens)
		}
	}
	last := min(q.next+q.width-1, len(ring.tokens))
	q.width *= 2
	for i := q.next; i <= last; i++ {
		s.ranges = append(s.ranges, i%len(ring.tokens)) // beyond the last token: the range of the first
	}
	if last < len(ring.tokens) {
		s.command.to = min(q.to, ring.tokens[last])
	}
	q.next = last + 1
}

// stepped takes the merged partitions of a step.
func (q *query) stepped(parts []*partition) {
	full := false
	for _, p := range parts {
		if full = q.outcome.add(p, q.resumesIn(p)); full {
			break
		}
	}
	ring := q.cluster.ring
	if !full && q.command().scan && q.next <= len(ring.tokens) && ring.tokens[min(q.next-1, len(ring.tokens)-1)] < q.to {
		q.advance()
		return
	}
	q.finish()
}

// finish answers with the rows found.
func (q *query) finish() {
	o := &q.outcome
	res := result{types: q.plan.results, rows: o.rows}
	q.remaining -= len(o.rows)
	single := !q.command().scan
	if len(o.rows) >= q.size && q.remaining > 0 && !(single && o.lone) {
		o.last.remaining = q.remaining
		res.page = o.last.encode()
	}
	q.answer(res, nil)
}

func (q *query) answer(res result, err error) {
	q.deadline.waiter = nil
	q.step, q.outcome = nil, outcome{} // the agenda keeps q for a while
	q.firstStep.replies, q.firstStep.merged, q.firstStep.replySpace = nil, nil, [4]*answer{}
	q.cluster.respond(q.request, res, err)
}

func (q *query) current() bool {
	n := q.request.node
	return n.running && n.life == q.request.life && q.deadline.waiter != nil
}

func (q *query) expire() {
	n := q.request.node
	if !n.running || n.life != q.request.life {
		return
	}
	q.cluster.counters.ReadTimeouts++
	q.cluster.respond(q.request, result{}, readTimeout(q.request.consistency, q.step.count, q.step.need.total))
}

// step is a read of one partition or of a run of the ring, at replicas of each range.
type step struct {
	query   *query
	command readCommand
	ranges  []int           // of the ring
	need    need            // of the first range
	chosen  map[int][]*node // of a scan: the replicas asked, by range
	nodes   []*node         // asked, in order
	replies []*answer       // by the order of nodes
	count   int             // of replies
	round   int
	merged  []*partition
	repairs int // writes of repairs that are awaited
	spare   []*node
	// patience is the wait before one more replica is asked.
	patience deadline

	nodeSpace  [4]*node // room for nodes, replies and ranges
	replySpace [4]*answer
	rangeSpace [1]int
}

// choose chooses the replicas to ask: the coordinator, then those of its datacenter, by chance.
func (s *step) choose() error {
	q := s.query
	c, r := q.cluster, q.request
	if s.command.scan {
		s.chosen = make(map[int][]*node, len(s.ranges))
	}
	for _, i := range s.ranges {
		replicas := c.ring.replicasAt(q.plan.keyspace, i)
		needed, ok := needOf(r.consistency, q.plan.keyspace, replicas, r.node.datacenter)
		if !ok {
			return invalid("reads at %s are not simulated", r.consistency)
		}
		if err := c.assure(r, needed, replicas); err != nil {
			return err
		}
		s.need = needed
		var nodes []*node
		if !s.command.scan {
			nodes = s.nodeSpace[:0]
		}
		for _, n := range s.prefer(replicas) {
			if !c.alive(r.node, n) || needed.local != "" && n.datacenter != needed.local {
				continue
			}
			if _, enough := needed.counts(nodes); enough || needed.each != nil && sufficient(nodes, needed, n.datacenter) {
				s.spare = append(s.spare, n)
				continue
			}
			nodes = append(nodes, n)
		}
		if !s.command.scan {
			s.nodes = nodes
			break
		}
		s.chosen[i] = nodes
		for _, n := range nodes {
			if !slices.Contains(s.nodes, n) {
				s.nodes = append(s.nodes, n)
			}
		}
	}
	if s.replies = s.replySpace[:]; len(s.nodes) > len(s.replySpace) {
		s.replies = make([]*answer, len(s.nodes))
	}
	s.replies = s.replies[:len(s.nodes)]
	return nil
}

// sufficient reports whether enough nodes of a datacenter are chosen.
func sufficient(nodes []*node, needed need, datacenter string) bool {
	have := 0
	for _, n := range nodes {
		if n.datacenter == datacenter {
			have++
		}
	}
	return have >= needed.each[datacenter]
}

// prefer orders replicas, until the next call. In a scan, nodes that are asked anyway come before others.
func (s *step) prefer(replicas []*node) []*node {
	c, self := s.query.cluster, s.query.request.node
	list := append(c.order[:0], replicas...)
	c.order = list
	c.shuffle(list, func(n *node) int {
		switch {
		case n == self:
			return 0
		case n.datacenter == self.datacenter && s.command.scan && slices.Contains(s.nodes, n):
			return 1
		case n.datacenter == self.datacenter:
			return 2
		}
		return 3
	})
	return list
}

// ask sends the command to nodes.
func (s *step) ask(nodes []*node) {
	q := s.query
	for _, n := range nodes {
		q.cluster.post(message{
			from: &q.request.node.peer, to: n, expires: q.wait.wait, handler: s, content: content{replica: n, round: s.round},
		})
	}
}

// handle executes the command at a replica, or takes the answer of a replica.
func (s *step) handle(m content) {
	n := m.replica
	if m.answers {
		s.reply(m)
		return
	}
	command := s.command
	if command.scan {
		ring := s.query.cluster.ring
		command.selected = func(token int64) bool { return slices.Contains(s.chosen[ring.rangeOf(token)], n) }
	}
	m.answers, m.answer = true, n.read(&command)
	s.query.cluster.post(message{from: &n.peer, to: s.query.request.node, expires: s.query.wait.wait, handler: s, content: m})
}

// expire asks one more replica of a single partition if an answer is missing.
func (s *step) expire() {
	if s.command.scan || s.round > 0 || !s.query.current() || s.query.step != s || len(s.spare) == 0 || s.count >= len(s.nodes) {
		return
	}
	s.query.cluster.counters.Speculations++
	extra := s.spare[0]
	s.spare = s.spare[1:]
	s.nodes, s.replies = append(s.nodes, extra), append(s.replies, nil)
	s.ask(s.nodes[len(s.nodes)-1:])
}

// reply takes the answer of a replica.
func (s *step) reply(m content) {
	q := s.query
	if !q.current() || q.step != s || m.round != s.round || s.repairs > 0 {
		return
	}
	if m.answer.failed {
		q.answer(result{}, readFailure(q.request.consistency, s.count, s.need.total, 1))
		return
	}
	i := slices.Index(s.nodes, m.replica)
	if s.replies[i] != nil {
		return
	}
	s.replies[i] = m.answer
	if s.count++; s.enough() {
		s.resolve()
	}
}

// enough reports whether enough replicas of each range have answered.
func (s *step) enough() bool {
	if s.command.scan || s.count == len(s.nodes) {
		return s.count == len(s.nodes)
	}
	answered := make([]*node, 0, 8)
	for i, n := range s.nodes {
		if s.replies[i] != nil {
			answered = append(answered, n)
		}
	}
	_, enough := s.need.counts(answered)
	return enough
}

// settle forgets the nodes that have not answered.
func (s *step) settle() {
	if s.count == len(s.nodes) {
		return
	}
	var nodes []*node
	var replies []*answer
	for i, n := range s.nodes {
		if s.replies[i] != nil {
			nodes, replies = append(nodes, n), append(replies, s.replies[i])
		}
	}
	s.nodes, s.replies = nodes, replies
}

// resolve merges the answers, and repairs replicas that differ. Answers that differ are asked for once more:
// the first answers but one were digests.
func (s *step) resolve() {
	q := s.query
	s.patience.waiter = nil
	s.settle()
	if !s.command.scan && s.differ() {
		if s.round == 0 {
			q.cluster.counters.Mismatches++
			s.again()
			return
		}
	} else if !s.command.scan && s.replies[0].cut == nil {
		q.stepped(s.replies[0].parts) // all answers are the same
		return
	}
	bound := s.bound()
	parts := s.merge(bound)
	if s.short(parts, bound) {
		q.cluster.counters.ShortReads++
		s.command.limit *= 2
		s.again()
		return
	}
	s.merged = parts
	s.repair(bound)
	if s.repairs == 0 {
		q.stepped(s.merged)
	}
}

// again asks the same nodes once more.
func (s *step) again() {
	s.round++
	s.count = 0
	clear(s.replies)
	s.ask(s.nodes)
}

// differ reports whether the answers about a single partition differ.
func (s *step) differ() bool {
	var first *partition
	for i, a := range s.replies {
		var p *partition
		if len(a.parts) > 0 {
			p = a.parts[0]
		}
		if i == 0 {
			first = p
		} else if !samePartitions(first, p) {
			return true
		}
	}
	return false
}

// bound returns the earliest cut of the answers.
func (s *step) bound() *cut {
	var bound *cut
	for _, a := range s.replies {
		if a.cut != nil && (bound == nil || a.cut.compare(bound) < 0) {
			bound = a.cut
		}
	}
	return bound
}

// merge merges the answers up to a cut.
func (s *step) merge(bound *cut) []*partition {
	if len(s.replies) == 1 {
		return s.replies[0].parts
	}
	lists := make([][]*partition, len(s.replies))
	for i, a := range s.replies {
		lists[i] = a.upTo(bound)
	}
	var merged []*partition
	for {
		var first *partition
		for _, l := range lists {
			if len(l) > 0 && (first == nil || ringOrder(l[0], first) < 0) {
				first = l[0]
			}
		}
		if first == nil {
			return merged
		}
		var same []*partition
		equal := true
		for i, l := range lists {
			if len(l) > 0 && ringOrder(l[0], first) == 0 {
				equal = equal && samePartitions(l[0], first)
				same = append(same, l[0])
				lists[i] = l[1:]
			}
		}
		if equal {
			merged = append(merged, first)
		} else {
			merged = append(merged, mergePartitions(same))
		}
	}
}

// short reports whether the merged answer has too few live rows although a replica has more.
func (s *step) short(parts []*partition, bound *cut) bool {
	if bound == nil || len(s.nodes) == 1 {
		return false
	}
	probe := outcome{plan: s.query.plan, now: s.command.now, limit: s.query.outcome.limit - len(s.query.outcome.rows)}
	for _, p := range parts {
		if probe.add(p, s.query.resumesIn(p)) {
			return false
		}
	}
	return true
}

// repair writes to each replica what its answer lacks.
func (s *step) repair(bound *cut) {
	if len(s.nodes) == 1 {
		return
	}
	q := s.query
	c, coordinator := q.cluster, q.request.node
	for i, n := range s.nodes {
		m := s.lacking(n, s.replies[i].upTo(bound))
		if len(m.parts) == 0 {
			continue
		}
		c.counters.Repairs++
		s.repairs++
		c.send(&coordinator.peer, n, c.config.WriteTimeout, func() {
			n.apply(m)
			c.send(&n.peer, coordinator, c.config.WriteTimeout, s.repaired)
		})
	}
}

// lacking returns what a replica lacks of the merged answer.
func (s *step) lacking(n *node, have []*partition) *mutation {
	ring := s.query.cluster.ring
	m := &mutation{table: s.command.table}
	for _, p := range s.merged {
		if s.command.scan && !slices.Contains(s.chosen[ring.rangeOf(p.token)], n) {
			continue
		}
		for len(have) > 0 && ringOrder(have[0], p) < 0 {
			have = have[1:]
		}
		var own *partition
		if len(have) > 0 && ringOrder(have[0], p) == 0 {
			own = have[0]
		}
		if lacking := own.lacks(p); lacking != nil {
			m.parts = append(m.parts, lacking)
		}
	}
	return m
}

// repaired counts the end of the write of a repair.
func (s *step) repaired() {
	if !s.query.current() || s.query.step != s {
		return
	}
	if s.repairs--; s.repairs == 0 {
		s.query.stepped(s.merged)
	}
}
