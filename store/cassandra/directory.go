package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// addresses implements store.Addresses at one level.
type addresses struct {
	at    level
	run   *runner
	clock *clockWatch
}

// AddressRows implements store.Addresses.
func (d *addresses) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	local := encodeText(a.Local)
	rows, err := d.readAddresses(ctx, statement{
		cql:         selectAddresses,
		values:      []any{encodeText(a.Domain), addressShard(local), local},
		consistency: d.at.reads(),
		what:        fmt.Sprintf("read address %s", a),
	}, a.Domain)
	// Cassandra orders the ids of one moment in another way.
	slices.SortFunc(rows, func(x, y store.Address) int { return x.Generation.Compare(y.Generation) })
	return rows, err
}

func (d *addresses) readAddresses(ctx context.Context, st statement, domain string) (rows []store.Address, err error) {
	err = d.run.readAll(ctx, st, maxPage, func(scan func(...any) error) error {
		var (
			local                 string
			kind, password, state string
			origin                string
			generation, removed   gocql.UUID
			created, retention    *int64
			bulk                  *int64
			targets               []string
			settings              map[string]string
			a                     = store.Address{Address: mail.Address{Domain: domain}}
		)
		err := scan(&local, &generation, &kind, &removed, &password, &state, &created, &retention, &bulk, &targets, &settings, &origin)
		if err != nil {
			return err
		}
		if a.Address.Local, err = decodeText(local); err != nil {
			return err
		}
		if a.Password, err = decodeText(password); err != nil {
			return err
		}
		if a.Targets, err = decodeTargets(targets); err != nil {
			return err
		}
		if a.Settings, err = decodeSettings(settings); err != nil {
			return err
		}
		if a.Origin, err = decodeOrigin(origin); err != nil {
			return err
		}
		a.Generation, a.Removed = mail.MessageID(generation), mail.MessageID(removed)
		a.Kind, a.State = store.AddressKind(kind), store.AddressState(state)
		a.Created, a.Retention, a.Bulk = moment(created), span(retention), moment(bulk)
		rows = append(rows, a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// ChangeAddress implements store.Addresses. The timestamp is above the timestamp of every changed column,
// so that an earlier change by a clock that was ahead does not win.
func (d *addresses) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	what := fmt.Sprintf("change address %s", a)
	change := addressAssignments(c)
	if len(change.texts) == 0 {
		if err := d.run.ready(ctx, what); err != nil {
			return err
		}
		return nil
	}
	local := encodeText(a.Local)
	key := []any{encodeText(a.Domain), addressShard(local), local, gocql.UUID(generation)}
	var times [9]*int64
	if _, err := d.run.readOne(ctx, statement{cql: selectAddressTimes, values: key, consistency: d.at.reads(), what: what},
		&times[0], &times[1], &times[2], &times[3], &times[4], &times[5], &times[6], &times[7], &times[8]); err != nil {
		return err
	}
	timestamp, err := d.clock.changeTime(ctx, what)
	if err != nil {
		return err
	}
	for i, name := range []string{"kind", "removed", "password", "state", "created", "retention", "bulk", "touched", "origin"} {
		if t := times[i]; t != nil && slices.Contains(change.columns, name) {
			timestamp = max(timestamp, *t+1)
		}
	}
	return d.run.exec(ctx, statement{
		cql:         updateAddress(change.texts),
		values:      slices.Concat([]any{timestamp}, change.values, key),
		consistency: d.at.writes(),
		what:        what,
	})
}

// addressAssignments returns the assignments of a change.
func addressAssignments(c store.AddressChange) *assignments {
	change := &assignments{}
	if c.Kind != nil {
		change.set("kind", string(*c.Kind))
	}
	if c.Removed != nil {
		change.set("removed", gocql.UUID(*c.Removed))
	}
	if c.Password != nil {
		change.set("password", encodeText(*c.Password))
	}
	if c.State != nil {
		change.set("state", string(*c.State))
	}
	if c.Created != nil {
		change.set("created", micros(*c.Created))
	}
	if c.Retention != nil {
		change.set("retention", c.Retention.Microseconds())
	}
	if c.Bulk != nil {
		change.set("bulk", micros(*c.Bulk))
	}
	if c.Origin != nil {
		change.set("origin", encodeText(c.Origin.String()))
	}
	if len(c.AddTargets)+len(c.RemoveTargets)+len(c.Settings) > 0 {
		change.changeTargets(c.AddTargets, c.RemoveTargets)
		change.changeSettings(c.Settings)
		change.touch()
	}
	return change
}

// ListAddresses implements store.Addresses: shard by shard, within a shard by local-part. Several shards
// are read at the same time while they are nearly empty.
func (d *addresses) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	return d.SearchAddresses(ctx, domain, "", after, limit)
}

// SearchAddresses implements store.Addresses, as ListAddresses. Every shard has its part of a prefix.
func (d *addresses) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) (rows []store.Address, more bool, err error) {
	if err := d.run.ready(ctx, "list addresses"); err != nil {
		return nil, false, err
	}
	limit = min(max(limit, 1), maxPage)
	shard, after := positionIn(after)
	for n := 1; shard < addressShards; {
		want := limit - len(rows)
		n = min(n, addressShards-shard)
		pages, err := d.listShards(ctx, domain, prefix, shard, n, after, want)
		if err != nil && n > 1 {
			n = 1 // finds the shard that cannot be read
			continue
		}
		var full bool
		before := len(rows)
		if err == nil {
			rows, full, err = d.addPages(ctx, rows, pages, limit)
		}
		if err != nil {
			sortGenerations(rows)
			return rows, true, &store.UnreadPart{Name: fmt.Sprintf("shard %d of %d", shard, addressShards), Next: beginOf(shard + 1), Err: err}
		}
		if full {
			sortGenerations(rows)
			return rows, true, nil
		}
		shard, after = shard+len(pages), ""
		if n = min(2*n, parallelShards); 2*(len(rows)-before) > want {
			n = 1
		}
	}
	sortGenerations(rows)
	return rows, false, nil
}

// addPages adds pages to rows, and reports whether rows has limit rows or more. Then all generations of the last local-part are
// there. Beside an error no rows are added of the page that is cut.
func (d *addresses) addPages(ctx context.Context, rows []store.Address, pages [][]store.Address, limit int) (all []store.Address, full bool, err error) {
	for _, page := range pages {
		if len(page) < limit-len(rows) {
			rows = append(rows, page...)
			continue
		}
		page = page[:limit-len(rows)]
		// The limit may have cut generations of the last local-part.
		last := page[len(page)-1].Address
		whole := page[:slices.IndexFunc(page, func(a store.Address) bool { return a.Address == last })]
		generations, err := d.AddressRows(ctx, last)
		if err != nil {
			return rows, false, err
		}
		return append(append(rows, whole...), generations...), true, nil
	}
	return rows, false, nil
}

// shardMark begins a position that is the begin of a shard: no local-part has this character.
const shardMark = "\x00"

// beginOf returns the position in a list, for the parameter after, before the first local-part of a shard.
func beginOf(shard int) string { return shardMark + strconv.Itoa(shard) }

// positionIn returns the shard with a position, and the local-part, encoded, that the position is behind; an empty local-part: the
// begin of the shard.
func positionIn(after string) (shard int, behind string) {
	if after == "" {
		return 0, ""
	}
	if number, ok := strings.CutPrefix(after, shardMark); ok {
		if shard, err := strconv.Atoi(number); err == nil && shard >= 0 {
			return shard, ""
		}
	}
	behind = encodeText(after)
	return addressShard(behind), behind
}

// lastRune behind a prefix is behind every text with the prefix: no local-part has a character that is
// not visible.
const lastRune = "\U0010FFFF"

// listShards reads the first rows, up to limit, of each of n shards. after applies to the first shard.
func (d *addresses) listShards(ctx context.Context, domain, prefix string, first, n int, after string, limit int) ([][]store.Address, error) {
	pages := make([][]store.Address, n)
	shards := make([]int, n)
	for i := range shards {
		shards[i] = i
	}
	err := atOnce(ctx, n, shards, func(ctx context.Context, i int) (err error) {
		from := after
		if i > 0 {
			from = ""
		}
		st := statement{
			cql:         listAddresses,
			values:      []any{encodeText(domain), first + i, from, limit},
			consistency: d.at.reads(),
			what:        fmt.Sprintf("list the addresses of %s", domain),
		}
		if prefix != "" {
			lower := prefix
			if from >= prefix {
				lower = from + "\x00" // the first text behind from
			}
			st.cql, st.values = searchAddresses, []any{encodeText(domain), first + i, lower, prefix + lastRune, limit}
		}
		pages[i], err = d.readAddresses(ctx, st, domain)
		return err
	})
	return pages, err
}

// sortGenerations sorts the rows of each local-part, which are adjacent, by generation.
func sortGenerations(rows []store.Address) {
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(a store.Address) bool { return a.Address != rows[0].Address })
		if n < 0 {
			n = len(rows)
		}
		slices.SortFunc(rows[:n], func(x, y store.Address) int { return x.Generation.Compare(y.Generation) })
		rows = rows[n:]
	}
}
