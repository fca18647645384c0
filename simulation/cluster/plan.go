package cluster

import (
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// plan is a statement with its table, ready for values.
type plan struct {
	*syntax
	cql      string
	keyspace *keyspace
	table    *table
	types    []gocql.TypeInfo // of the markers
	system   *systemTable     // a table of Cassandra about nodes
	results  []gocql.TypeInfo // of the selected columns
	selected []*column        // by selector; nil: no column of a table

	partition []term        // the values of the partition key; nil: a scan
	ranges    []restriction // of clustering columns
	scanned   []relation    // of the token
	reversed  bool
	full      bool // the query selects whole partitions
}

// restriction restricts a run of clustering columns.
type restriction struct {
	first, count int
	sign         string
	values       []term // one for each column; of IN the elements, or one marker for all of them
}

var (
	bigint = scalars["bigint"].info
	int32s = scalars["int"].info
)

// prepare reads a statement and finds its table.
func (s *schema) prepare(cql, space string) (*plan, error) {
	st, err := parse(cql)
	if err != nil {
		return nil, invalid("%v, in: %s", err, cql)
	}
	p := &plan{syntax: st, cql: cql, types: make([]gocql.TypeInfo, st.markers)}
	if st.verb >= createKeyspaceVerb {
		return p, nil
	}
	if st.space == "" {
		st.space = space
	}
	if isSystem(st.space) {
		return p, p.prepareSystem()
	}
	if p.keyspace, p.table = s.find(st.space, st.table); p.table == nil {
		return nil, invalid("table %s.%s does not exist, in: %s", st.space, st.table, cql)
	}
	p.mark(st.timestamp, bigint)
	p.mark(st.ttl, int32s)
	p.mark(st.limit, int32s)
	if err := p.resolve(); err != nil {
		return nil, invalid("%s, in: %s", err.Error(), cql)
	}
	if i := slices.Index(p.types, nil); i >= 0 {
		return nil, invalid("the type of value %d is unknown, in: %s", i+1, cql)
	}
	return p, nil
}

// mark notes the type of a marker.
func (p *plan) mark(t *term, info gocql.TypeInfo) {
	if t != nil && t.kind == markerTerm {
		p.types[t.marker] = info
	}
}

func (p *plan) column(name string) (*column, error) {
	if c := p.table.byName[name]; c != nil {
		return c, nil
	}
	return nil, invalid("Undefined column name %s in table %s", name, p.table.name)
}

// resolve finds the columns of a statement.
func (p *plan) resolve() error {
	switch p.verb {
	case insertVerb:
		return p.resolveInsert()
	case updateVerb:
		for i := range p.assignments {
			if err := p.resolveAssignment(&p.assignments[i]); err != nil {
				return err
			}
		}
	case deleteVerb:
		for _, name := range p.columns {
			if c, err := p.column(name); err != nil {
				return err
			} else if c.kind < staticColumn {
				return invalid("Invalid identifier %s for deletion (should not be a PRIMARY KEY part)", name)
			}
		}
	case selectVerb:
		if err := p.resolveSelectors(); err != nil {
			return err
		}
		p.resolveResults()
	case truncateVerb:
		return nil
	}
	return p.resolveRelations()
}

func (p *plan) resolveInsert() error {
	p.partition = make([]term, len(p.table.partition))
	for i, name := range p.columns {
		c, err := p.column(name)
		if err != nil {
			return err
		}
		p.mark(&p.values[i], c.typ.info)
	}
	for i, c := range p.table.partition {
		at := slices.Index(p.columns, c.name)
		if at < 0 {
			return invalid("Some partition key parts are missing: %s", c.name)
		}
		p.partition[i] = p.values[at]
	}
	missing := ""
	for i, c := range p.table.cluster {
		at := slices.Index(p.columns, c.name)
		if at < 0 {
			missing = c.name
			continue
		}
		p.ranges = append(p.ranges, restriction{i, 1, "=", []term{p.values[at]}})
	}
	if missing == "" {
		return nil
	}
	if len(p.ranges) > 0 {
		return invalid("Some clustering keys are missing: %s", missing)
	}
	return p.onlyStatics(p.columns, missing)
}

// onlyStatics refuses a write of regular columns without a row.
func (p *plan) onlyStatics(columns []string, missing string) error {
	statics := 0
	for _, name := range columns {
		switch p.table.byName[name].kind {
		case regularColumn:
			return invalid("Some clustering keys are missing: %s", missing)
		case staticColumn:
			statics++
		}
	}
	if statics == 0 {
		return invalid("Some clustering keys are missing: %s", missing)
	}
	return nil
}

func (p *plan) resolveAssignment(a *assignment) error {
	c, err := p.column(a.column)
	if err != nil {
		return err
	}
	if c.kind < staticColumn {
		return invalid("PRIMARY KEY part %s found in SET part", a.column)
	}
	switch {
	case a.sign == "=":
		p.mark(&a.value, c.typ.info)
	case !c.typ.multicell() || c.typ.kind == listType:
		return invalid("assignment to %s is not simulated", a.column)
	case a.sign == "[" && c.typ.kind == mapType:
		p.mark(&a.key, c.typ.key.info)
		p.mark(&a.value, c.typ.elem.info)
	case a.sign == "+":
		p.mark(&a.value, c.typ.info)
	case a.sign == "-" && c.typ.kind == mapType:
		p.mark(&a.value, native(gocql.TypeSet, c.typ.key.name))
	case a.sign == "-":
		p.mark(&a.value, c.typ.info)
	default:
		return invalid("assignment to %s is not simulated", a.column)
	}
	return nil
}

func (p *plan) resolveSelectors() error {
	var list []selector
	for _, s := range p.selectors {
		if s.function == "" && s.columns[0] == "*" {
			for _, c := range p.table.starOrder() {
				list = append(list, selector{columns: []string{c.name}})
			}
			continue
		}
		for _, name := range s.columns {
			c, err := p.column(name)
			if err != nil {
				return err
			}
			if (s.function == "writetime" || s.function == "ttl") && (c.kind < staticColumn || c.typ.multicell()) {
				return invalid("Cannot use selection function %s on %s", s.function, name)
			}
		}
		if s.function == "now" || s.function == "tounixtimestamp" || s.function == "count" {
			return invalid("%s of a table is not simulated", s.function)
		}
		list = append(list, s)
	}
	p.selectors = list
	return nil
}

// starOrder returns the columns in the order of SELECT *: the key, then static columns and the others by
// name.
func (t *table) starOrder() []*column {
	list := slices.Clone(t.columns)
	slices.SortStableFunc(list, func(a, b *column) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		if a.kind <= clusteringColumn {
			return a.position - b.position
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return list
}

// resolveRelations sorts the conditions of WHERE by the part of the key they restrict.
func (p *plan) resolveRelations() error {
	partition := make([]*term, len(p.table.partition))
	bound := 0
	for i := range p.relations {
		r := &p.relations[i]
		first, err := p.column(r.columns[0])
		if err != nil {
			return err
		}
		switch {
		case r.token:
			p.mark(&r.value, bigint)
			p.scanned = append(p.scanned, *r)
		case first.kind == partitionColumn:
			if r.sign != "=" || partition[first.position] != nil {
				return invalid("condition %s on partition key %s is not simulated", r.sign, first.name)
			}
			p.mark(&r.value, first.typ.info)
			partition[first.position] = &r.value
			bound++
		case first.kind == clusteringColumn:
			if err := p.restrict(r, first); err != nil {
				return err
			}
		default:
			return invalid("condition on %s is not simulated", first.name)
		}
	}
	switch {
	case bound == len(partition):
		p.partition = make([]term, bound)
		for i, t := range partition {
			p.partition[i] = *t
		}
	case bound > 0 || p.verb != selectVerb || len(p.ranges) > 0:
		return invalid("Some partition key parts are missing")
	}
	slices.SortStableFunc(p.ranges, func(a, b restriction) int { return a.first - b.first })
	p.full = len(p.ranges) == 0
	if p.verb == selectVerb {
		if !p.full && p.selectsKind(staticColumn) && !p.selectsKind(clusteringColumn) && !p.selectsKind(regularColumn) {
			return invalid("Cannot restrict clustering columns when selecting only static columns")
		}
		return p.resolveOrder()
	}
	equals := 0
	for _, r := range p.ranges {
		if r.sign == "=" || r.sign == "in" {
			equals += r.count
		}
	}
	if equals < len(p.table.cluster) {
		missing := p.table.cluster[equals].name
		if p.verb == updateVerb {
			var names []string
			for _, a := range p.assignments {
				names = append(names, a.column)
			}
			return p.onlyStatics(names, missing)
		}
		if len(p.columns) > 0 {
			return p.onlyStatics(p.columns, missing)
		}
	}
	return nil
}

// selectsKind reports whether a column of a kind is selected.
func (p *plan) selectsKind(kind columnKind) bool {
	return slices.ContainsFunc(p.selectors, func(s selector) bool {
		return slices.ContainsFunc(s.columns, func(name string) bool { return p.table.byName[name].kind == kind })
	})
}

// restrict notes a condition on clustering columns.
func (p *plan) restrict(r *relation, first *column) error {
	out := restriction{first: first.position, count: len(r.columns), sign: r.sign}
	switch {
	case r.tuple:
		if r.sign == "in" || r.value.kind != listTerm || len(r.value.list) != len(r.columns) {
			return invalid("this condition on several columns is not simulated")
		}
		for i, name := range r.columns {
			c, err := p.column(name)
			if err != nil {
				return err
			}
			if c.kind != clusteringColumn || c.position != first.position+i || r.sign != "=" && c.descending != first.descending {
				return invalid("this condition on several columns is not simulated")
			}
			p.mark(&r.value.list[i], c.typ.info)
		}
		out.values = r.value.list
	case r.sign == "in" && r.value.kind == listTerm:
		for i := range r.value.list {
			p.mark(&r.value.list[i], first.typ.info)
		}
		out.values = r.value.list
	case r.sign == "in":
		p.mark(&r.value, native(gocql.TypeList, first.typ.name))
		out.values = []term{r.value}
	default:
		p.mark(&r.value, first.typ.info)
		out.values = []term{r.value}
	}
	p.ranges = append(p.ranges, out)
	return nil
}

func (p *plan) resolveOrder() error {
	for i, o := range p.order {
		c, err := p.column(o.column)
		if err != nil {
			return err
		}
		if c.kind != clusteringColumn || c.position != i {
			return invalid("Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY")
		}
		turned := o.descending != c.descending
		if i > 0 && turned != p.reversed {
			return invalid("Unsupported order by relation")
		}
		p.reversed = turned
	}
	if len(p.order) > 0 && p.partition == nil {
		return invalid("ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
	}
	return nil
}
