package cluster

import "strings"

// schemaStatement reads a statement about keyspaces or tables.
func (p *parser) schemaStatement() *syntax {
	s := &syntax{properties: map[string]string{}}
	switch {
	case p.skip("create", "keyspace"):
		s.verb = createKeyspaceVerb
		s.ifExists = p.skip("if", "not", "exists")
		s.space = p.name()
		p.with(s)
	case p.skip("alter", "keyspace"):
		s.verb = alterKeyspaceVerb
		s.space = p.name()
		p.with(s)
	case p.skip("drop", "keyspace"):
		s.verb = dropKeyspaceVerb
		s.ifExists = p.skip("if", "exists")
		s.space = p.name()
	case p.skip("drop", "table"):
		s.verb = dropTableVerb
		s.ifExists = p.skip("if", "exists")
		p.tableName(s)
	case p.skip("create", "table"):
		s.verb = createTableVerb
		s.ifExists = p.skip("if", "not", "exists")
		p.tableName(s)
		p.definitionsOf(s)
		p.with(s)
	case p.skip("alter", "table"):
		s.verb = alterTableVerb
		p.tableName(s)
		if p.skip("add") {
			s.ifExists = p.skip("if", "not", "exists")
			s.definitions = []definition{p.definition(s)}
		} else {
			p.with(s)
		}
	default:
		p.fail()
	}
	return s
}

func (p *parser) definitionsOf(s *syntax) {
	p.need("(")
	for {
		if p.skip("primary", "key") {
			p.need("(")
			if p.is("(") {
				s.partitionKey = p.names()
			} else {
				s.partitionKey = []string{p.name()}
			}
			for p.skip(",") {
				s.clusteringKey = append(s.clusteringKey, p.name())
			}
			p.need(")")
		} else {
			s.definitions = append(s.definitions, p.definition(s))
		}
		if p.skip(")") {
			return
		}
		p.need(",")
	}
}

func (p *parser) definition(s *syntax) definition {
	d := definition{name: p.name(), typ: p.typeName()}
	d.static = p.skip("static")
	if p.skip("primary", "key") {
		s.partitionKey = []string{d.name}
	}
	return d
}

func (p *parser) typeName() string {
	name := p.name()
	if !p.skip("<") {
		return name
	}
	name += "<" + p.typeName()
	for p.skip(",") {
		name += "," + p.typeName()
	}
	p.need(">")
	return name + ">"
}

// with reads the properties of a keyspace or table.
func (p *parser) with(s *syntax) {
	if !p.skip("with") {
		return
	}
	for {
		if p.skip("clustering", "order", "by", "(") {
			for {
				s.clusteringOrder = append(s.clusteringOrder, p.ordering())
				if p.skip(")") {
					break
				}
				p.need(",")
			}
		} else {
			name := p.name()
			p.need("=")
			p.property(s, name)
		}
		if !p.skip("and") {
			return
		}
	}
}

func (p *parser) property(s *syntax, name string) {
	if !p.skip("{") {
		s.properties[name] = p.take().text
		return
	}
	for !p.skip("}") {
		key := p.take().text
		p.need(":")
		s.properties[name+"."+key] = p.take().text
		p.skip(",")
	}
}

// entries returns the entries of a property that is a map.
func (s *syntax) entries(name string) map[string]string {
	found := map[string]string{}
	for key, value := range s.properties {
		if entry, ok := strings.CutPrefix(key, name+"."); ok {
			found[entry] = value
		}
	}
	return found
}
