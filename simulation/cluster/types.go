package cluster

import (
	"encoding/binary"
	"fmt"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// typeKind tells scalars and collections apart.
type typeKind int

const (
	scalar typeKind = iota
	listType
	setType
	mapType
)

// valueType is a type of CQL.
type valueType struct {
	name   string
	kind   typeKind
	frozen bool
	key    *valueType // of a map; the elements of a set
	elem   *valueType // of a map or list
	info   gocql.TypeInfo
	order  func(dst, value []byte) []byte // appends a form of a scalar that sorts octet by octet
}

// multicell reports whether each element has a cell of its own.
func (t *valueType) multicell() bool { return t.kind != scalar && !t.frozen }

func native(t gocql.Type, inner string) gocql.TypeInfo { return gocql.NewNativeType(5, t, inner) }

// scalars holds the types without parameters.
var scalars = map[string]*valueType{
	"ascii":     {info: native(gocql.TypeAscii, ""), order: orderOctets},
	"text":      {info: native(gocql.TypeVarchar, ""), order: orderOctets},
	"varchar":   {info: native(gocql.TypeVarchar, ""), order: orderOctets},
	"blob":      {info: native(gocql.TypeBlob, ""), order: orderOctets},
	"boolean":   {info: native(gocql.TypeBoolean, ""), order: orderOctets},
	"tinyint":   {info: native(gocql.TypeTinyInt, ""), order: orderNumber},
	"smallint":  {info: native(gocql.TypeSmallInt, ""), order: orderNumber},
	"int":       {info: native(gocql.TypeInt, ""), order: orderNumber},
	"bigint":    {info: native(gocql.TypeBigInt, ""), order: orderNumber},
	"timestamp": {info: native(gocql.TypeTimestamp, ""), order: orderNumber},
	"uuid":      {info: native(gocql.TypeUUID, ""), order: orderUUID},
	"timeuuid":  {info: native(gocql.TypeTimeUUID, ""), order: orderTimeUUID},
	"inet":      {info: native(gocql.TypeInet, ""), order: orderOctets},
}

func init() {
	for name, t := range scalars {
		t.name = name
	}
}

// parseType reads a type such as frozen<list<uuid>>.
func parseType(text string) (*valueType, error) {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	if t := scalars[text]; t != nil {
		return t, nil
	}
	outer, inner, found := strings.Cut(strings.TrimSuffix(text, ">"), "<")
	if !found || !strings.HasSuffix(text, ">") {
		return nil, fmt.Errorf("unknown type %s", text)
	}
	if outer == "frozen" {
		t, err := parseType(inner)
		if err != nil {
			return nil, err
		}
		frozen := *t
		frozen.frozen, frozen.name = true, text
		return &frozen, nil
	}
	var parts []*valueType
	for _, name := range splitTypes(inner) {
		t, err := parseType(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, t)
	}
	switch {
	case outer == "list" && len(parts) == 1:
		return &valueType{name: text, kind: listType, elem: parts[0], info: native(gocql.TypeList, inner)}, nil
	case outer == "set" && len(parts) == 1:
		return &valueType{name: text, kind: setType, key: parts[0], info: native(gocql.TypeSet, inner)}, nil
	case outer == "map" && len(parts) == 2:
		return &valueType{name: text, kind: mapType, key: parts[0], elem: parts[1], info: native(gocql.TypeMap, inner)}, nil
	}
	return nil, fmt.Errorf("unknown type %s", text)
}

// splitTypes splits the parameters of a type at the commas of the outermost level.
func splitTypes(text string) (parts []string) {
	depth, from := 0, 0
	for i, r := range text {
		switch r {
		case '<':
			depth++
		case '>':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, text[from:i])
				from = i + 1
			}
		}
	}
	return append(parts, text[from:])
}

// The octets of a component of a key. A component begins with componentMark, so a position after all keys with
// a prefix is the prefix and afterMark.
const (
	componentMark = 0x40
	afterMark     = 0x60
)

// orderComponent appends a component of a clustering key to a position. Positions sort octet by octet in the
// order of the table.
func orderComponent(dst []byte, t *valueType, descending bool, value []byte) []byte {
	dst = append(dst, componentMark)
	from := len(dst)
	dst = t.order(dst, value)
	if descending {
		for i := from; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// orderOctets marks the end of the octets, so that no form is the beginning of another.
func orderOctets(dst, value []byte) []byte {
	for _, o := range value {
		if dst = append(dst, o); o == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 0)
}

// orderNumber turns the sign of a number. An empty number sorts first.
func orderNumber(dst, value []byte) []byte {
	if len(value) == 0 {
		return append(dst, 0)
	}
	dst = append(dst, 1, value[0]^0x80)
	return append(dst, value[1:]...)
}

// orderUUID sorts by version, then by time (version 1) or octets.
func orderUUID(dst, value []byte) []byte {
	if len(value) != 16 {
		return append(dst, 0)
	}
	version := value[6] >> 4
	dst = append(dst, version+1)
	if version == 1 {
		dst = appendTime(dst, value)
	} else {
		dst = append(dst, value[:8]...)
	}
	return append(dst, value[8:]...)
}

// orderTimeUUID sorts by time, then by signed octets.
func orderTimeUUID(dst, value []byte) []byte {
	if len(value) != 16 {
		return append(dst, 0)
	}
	dst = appendTime(append(dst, 1), value)
	for _, o := range value[8:] {
		dst = append(dst, o^0x80)
	}
	return dst
}

// appendTime appends the time of a uuid, the highest octets first.
func appendTime(dst, value []byte) []byte {
	high := binary.BigEndian.Uint64(value)
	return binary.BigEndian.AppendUint64(dst, high<<48|high<<16&0xffff00000000|high>>32)
}
