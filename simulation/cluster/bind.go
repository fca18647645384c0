package cluster

import (
	"encoding/binary"
	"slices"
	"strconv"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// value is a bound value; nil data is null.
type value struct {
	data  []byte
	unset bool
}

// bind encodes the values of a statement as the driver for Go does.
func (p *plan) bind(values []any) ([]value, error) {
	if len(values) != len(p.types) {
		return nil, invalid("%d values for %d markers, in: %s", len(values), len(p.types), p.cql)
	}
	list := make([]value, len(values))
	for i, v := range values {
		if v == any(gocql.UnsetValue) {
			list[i].unset = true
			continue
		}
		data, err := gocql.Marshal(p.types[i], v)
		if err != nil {
			return nil, err
		}
		list[i].data = data
	}
	return list, nil
}

// of returns the value of a term for a type.
func (t *term) of(values []value, typ *valueType) (value, error) {
	switch t.kind {
	case markerTerm:
		return values[t.marker], nil
	case nullTerm:
		return value{}, nil
	case boolTerm:
		data, err := gocql.Marshal(typ.info, t.literal == "true")
		return value{data: data}, err
	case stringTerm:
		data, err := gocql.Marshal(typ.info, t.literal)
		return value{data: data}, err
	case numberTerm:
		n, err := strconv.ParseInt(t.literal, 10, 64)
		if err != nil {
			return value{}, invalid("%v", err)
		}
		data, err := gocql.Marshal(typ.info, n)
		return value{data: data}, err
	}
	return value{}, invalid("this value is not simulated")
}

// number returns the value of a term of USING or LIMIT. set is false without a value.
func (t *term) number(values []value, typ *valueType, what string) (n int64, set bool, err error) {
	if t == nil {
		return 0, false, nil
	}
	v, err := t.of(values, typ)
	if err != nil || v.unset {
		return 0, false, err
	}
	switch len(v.data) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(v.data))), true, nil
	case 8:
		return int64(binary.BigEndian.Uint64(v.data)), true, nil
	}
	return 0, false, invalid("Invalid null value of %s", what)
}

// key encodes the values of the partition key.
func (p *plan) key(values []value) (string, error) {
	parts := make([][]byte, len(p.partition))
	for i := range p.partition {
		v, err := p.partition[i].of(values, p.table.partition[i].typ)
		if err != nil {
			return "", err
		}
		name := p.table.partition[i].name
		switch {
		case v.unset:
			return "", invalid("Invalid unset value for column %s", name)
		case v.data == nil:
			return "", invalid("Invalid null value in condition for column %s", name)
		}
		parts[i] = v.data
	}
	if len(parts) == 1 {
		if len(parts[0]) == 0 {
			return "", invalid("Key may not be empty")
		}
		return string(parts[0]), nil
	}
	var key []byte
	for _, part := range parts {
		key = binary.BigEndian.AppendUint16(key, uint16(len(part)))
		key = append(key, part...)
		key = append(key, 0)
	}
	return string(key), nil
}

// keyParts decodes a partition key.
func (t *table) keyParts(key string) [][]byte {
	if len(t.partition) == 1 {
		return [][]byte{[]byte(key)}
	}
	var parts [][]byte
	for rest := []byte(key); len(rest) > 0; {
		n := int(binary.BigEndian.Uint16(rest))
		parts, rest = append(parts, rest[2:2+n]), rest[3+n:]
	}
	return parts
}

// spot is a position with the values that it stands for.
type spot struct {
	position []byte
	key      [][]byte
}

func (s spot) with(c *column, data []byte) spot {
	return spot{orderComponent(slices.Clip(s.position), c.typ, c.descending, data), append(slices.Clip(s.key), data)}
}

// selection is the part of a partition that the conditions of a statement select.
type selection struct {
	spots     []spot     // whole prefixes, in the order of the table
	complete  bool       // the spots are rows
	intervals []interval // the same, as intervals without overlap
}

// selection evaluates the conditions on clustering columns.
func (p *plan) selection(values []value) (selection, error) {
	spots, next := []spot{{}}, 0
	var bounds []restriction
	for _, r := range p.ranges {
		if r.sign != "=" && r.sign != "in" {
			bounds = append(bounds, r)
			continue
		}
		if r.first != next || len(bounds) > 0 {
			return selection{}, invalid("PRIMARY KEY column %s cannot be restricted as preceding column is not restricted", p.table.cluster[r.first].name)
		}
		var err error
		if spots, err = p.extend(spots, r, values); err != nil {
			return selection{}, err
		}
		next += r.count
	}
	s := selection{spots: spots, complete: next == len(p.table.cluster)}
	if len(bounds) > 0 {
		s.spots, s.complete = nil, false
	}
	for _, one := range spots {
		v := interval{string(one.position), afterPosition(string(one.position))}
		if next == 0 {
			v = everything
		}
		for _, r := range bounds {
			if r.first != next {
				return selection{}, invalid("PRIMARY KEY column %s cannot be restricted as preceding column is not restricted", p.table.cluster[r.first].name)
			}
			b, err := p.bound(one, r, values)
			if err != nil {
				return selection{}, err
			}
			v = v.and(b)
		}
		if !v.isEmpty() {
			s.intervals = append(s.intervals, v)
		}
	}
	return s, nil
}

// extend adds the values of a condition with = or IN to positions.
func (p *plan) extend(spots []spot, r restriction, values []value) ([]spot, error) {
	if r.sign == "=" {
		for i := range r.values {
			c := p.table.cluster[r.first+i]
			data, err := p.clusteringValue(&r.values[i], c, values)
			if err != nil {
				return nil, err
			}
			for j := range spots {
				spots[j] = spots[j].with(c, data)
			}
		}
		return spots, nil
	}
	c := p.table.cluster[r.first]
	var list [][]byte
	if len(r.values) == 1 && r.values[0].kind == markerTerm && p.isList(r.values[0].marker) {
		v := values[r.values[0].marker]
		if v.unset || v.data == nil {
			return nil, invalid("Invalid null value for column %s", c.name)
		}
		list = elements(v.data)
		for _, data := range list {
			if data == nil {
				return nil, invalid("Invalid null value in condition for column %s", c.name)
			}
		}
	} else {
		for i := range r.values {
			data, err := p.clusteringValue(&r.values[i], c, values)
			if err != nil {
				return nil, err
			}
			list = append(list, data)
		}
	}
	var extended []spot
	for _, s := range spots {
		for _, data := range list {
			extended = append(extended, s.with(c, data))
		}
	}
	slices.SortFunc(extended, func(a, b spot) int { return slices.Compare(a.position, b.position) })
	return slices.CompactFunc(extended, func(a, b spot) bool { return slices.Equal(a.position, b.position) }), nil
}

func (p *plan) isList(marker int) bool { return p.types[marker].Type() == gocql.TypeList }

func (p *plan) clusteringValue(t *term, c *column, values []value) ([]byte, error) {
	v, err := t.of(values, c.typ)
	switch {
	case err != nil:
		return nil, err
	case v.unset:
		return nil, invalid("Invalid unset value for column %s", c.name)
	case v.data == nil:
		return nil, invalid("Invalid null value in condition for column %s", c.name)
	}
	return v.data, nil
}

// bound returns the interval of a condition with <, <=, > or >=.
func (p *plan) bound(s spot, r restriction, values []value) (interval, error) {
	descending := p.table.cluster[r.first].descending
	for i := range r.values {
		c := p.table.cluster[r.first+i]
		data, err := p.clusteringValue(&r.values[i], c, values)
		if err != nil {
			return interval{}, err
		}
		s = s.with(c, data)
	}
	at, after := string(s.position), afterPosition(string(s.position))
	less := r.sign[0] == '<'
	switch inclusive := len(r.sign) == 2; {
	case less != descending && inclusive:
		return interval{"", after}, nil
	case less != descending:
		return interval{"", at}, nil
	case inclusive:
		return interval{at, endOfPartition}, nil
	}
	return interval{after, endOfPartition}, nil
}

// elements decodes a list or a set; nil elements are null. For a map, keys and values alternate.
func elements(data []byte) (list [][]byte) {
	if len(data) < 4 {
		return nil
	}
	for rest := data[4:]; len(rest) >= 4; {
		n := int(int32(binary.BigEndian.Uint32(rest)))
		if rest = rest[4:]; n < 0 {
			list = append(list, nil)
			continue
		}
		list, rest = append(list, rest[:n:n]), rest[n:]
	}
	return list
}
