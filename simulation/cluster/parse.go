package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parser reads one statement. A method panics with a syntaxError if the statement is not understood; parse
// recovers.
type parser struct {
	words   []word
	next    int
	markers int
}

type syntaxError struct{ text string }

// parse reads a statement.
func parse(cql string) (s *syntax, err error) {
	list, err := words(cql)
	if err != nil {
		return nil, err
	}
	p := &parser{words: list}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case syntaxError:
			s, err = nil, errors.New(e.text)
		default:
			panic(e)
		}
	}()
	s = p.statement()
	p.skip(";")
	if p.next < len(p.words) {
		p.fail()
	}
	s.markers = p.markers
	return s, nil
}

func (p *parser) fail() {
	w := p.peek()
	panic(syntaxError{fmt.Sprintf("not understood from word %d: %q", p.next+1, w.text)})
}

func (p *parser) peek() word {
	if p.next < len(p.words) {
		return p.words[p.next]
	}
	return word{}
}

func (p *parser) take() word {
	w := p.peek()
	p.next++
	return w
}

// is reports whether the next words are names or signs.
func (p *parser) is(texts ...string) bool {
	for i, text := range texts {
		if p.next+i >= len(p.words) {
			return false
		}
		if w := p.words[p.next+i]; w.text != text || w.kind != nameWord && w.kind != signWord {
			return false
		}
	}
	return true
}

// skip skips words if they are next.
func (p *parser) skip(texts ...string) bool {
	if !p.is(texts...) {
		return false
	}
	p.next += len(texts)
	return true
}

func (p *parser) need(texts ...string) {
	if !p.skip(texts...) {
		p.fail()
	}
}

func (p *parser) name() string {
	if p.peek().kind != nameWord {
		p.fail()
	}
	return p.take().text
}

// names reads names between parentheses.
func (p *parser) names() (list []string) {
	p.need("(")
	for {
		list = append(list, p.name())
		if p.skip(")") {
			return list
		}
		p.need(",")
	}
}

func (p *parser) tableName(s *syntax) {
	s.table = p.name()
	if p.skip(".") {
		s.space, s.table = s.table, p.name()
	}
}

func (p *parser) statement() *syntax {
	switch {
	case p.skip("select"):
		return p.selectStatement()
	case p.skip("insert", "into"):
		return p.insertStatement()
	case p.skip("update"):
		return p.updateStatement()
	case p.skip("delete"):
		return p.deleteStatement()
	case p.skip("truncate"):
		p.skip("table")
		s := &syntax{verb: truncateVerb}
		p.tableName(s)
		return s
	}
	return p.schemaStatement()
}

func (p *parser) selectStatement() *syntax {
	s := &syntax{verb: selectVerb}
	for {
		s.selectors = append(s.selectors, p.selector())
		if !p.skip(",") {
			break
		}
	}
	p.need("from")
	p.tableName(s)
	if p.skip("where") {
		s.relations = p.relations()
	}
	if p.skip("order", "by") {
		for {
			s.order = append(s.order, p.ordering())
			if !p.skip(",") {
				break
			}
		}
	}
	if p.skip("limit") {
		t := p.term()
		s.limit = &t
	}
	p.skip("allow", "filtering")
	return s
}

func (p *parser) selector() selector {
	if p.skip("*") {
		return selector{columns: []string{"*"}}
	}
	name := p.name()
	if !p.is("(") {
		return selector{columns: []string{name}}
	}
	switch name {
	case "writetime", "ttl", "token":
		return selector{function: name, columns: p.names()}
	case "count":
		p.need("(", "*", ")")
		return selector{function: name}
	case "now":
		p.need("(", ")")
		return selector{function: name}
	case "tounixtimestamp":
		p.need("(", "now", "(", ")", ")")
		return selector{function: name, nested: "now"}
	}
	p.fail()
	return selector{}
}

func (p *parser) ordering() ordering {
	o := ordering{column: p.name()}
	if p.skip("desc") {
		o.descending = true
	} else {
		p.skip("asc")
	}
	return o
}

func (p *parser) relations() (list []relation) {
	for {
		list = append(list, p.relation())
		if !p.skip("and") {
			return list
		}
	}
}

var comparisons = []string{"=", "<", "<=", ">", ">=", "in"}

func (p *parser) relation() relation {
	var r relation
	switch {
	case p.is("token", "("):
		p.need("token")
		r.token, r.columns = true, p.names()
	case p.is("("):
		r.tuple, r.columns = true, p.names()
	default:
		r.columns = []string{p.name()}
	}
	if r.sign = p.take().text; !slices.Contains(comparisons, r.sign) {
		p.next--
		p.fail()
	}
	r.value = p.term()
	return r
}

// term reads a value.
func (p *parser) term() term {
	w := p.take()
	switch {
	case w.kind == stringWord:
		return term{marker: -1, kind: stringTerm, literal: w.text}
	case w.kind == numberWord:
		return term{marker: -1, kind: numberTerm, literal: w.text}
	case w.kind == nameWord && (w.text == "true" || w.text == "false"):
		return term{marker: -1, kind: boolTerm, literal: w.text}
	case w.kind == nameWord && w.text == "null":
		return term{marker: -1, kind: nullTerm}
	case w.kind == signWord && w.text == "?":
		p.markers++
		return term{marker: p.markers - 1}
	case w.kind == signWord && w.text == "(":
		t := term{marker: -1, kind: listTerm}
		for !p.skip(")") {
			t.list = append(t.list, p.term())
			if !p.is(")") {
				p.need(",")
			}
		}
		return t
	}
	p.next--
	p.fail()
	return term{}
}

func (p *parser) using(s *syntax) {
	if !p.skip("using") {
		return
	}
	for {
		switch {
		case p.skip("timestamp"):
			t := p.term()
			s.timestamp = &t
		case p.skip("ttl"):
			t := p.term()
			s.ttl = &t
		default:
			p.fail()
		}
		if !p.skip("and") {
			return
		}
	}
}

func (p *parser) insertStatement() *syntax {
	s := &syntax{verb: insertVerb}
	p.tableName(s)
	s.columns = p.names()
	p.need("values")
	s.values = p.term().list
	if len(s.values) != len(s.columns) {
		p.fail()
	}
	p.using(s)
	return s
}

func (p *parser) updateStatement() *syntax {
	s := &syntax{verb: updateVerb}
	p.tableName(s)
	p.using(s)
	p.need("set")
	for {
		a := assignment{column: p.name(), sign: "="}
		if p.skip("[") {
			a.sign, a.key = "[", p.term()
			p.need("]")
		}
		p.need("=")
		for _, sign := range []string{"+", "-"} {
			if a.sign == "=" && p.skip(a.column, sign) {
				a.sign = sign
			}
		}
		a.value = p.term()
		s.assignments = append(s.assignments, a)
		if !p.skip(",") {
			break
		}
	}
	p.need("where")
	s.relations = p.relations()
	return s
}

func (p *parser) deleteStatement() *syntax {
	s := &syntax{verb: deleteVerb}
	for !p.skip("from") {
		s.columns = append(s.columns, p.name())
		if !p.is("from") {
			p.need(",")
		}
	}
	p.tableName(s)
	p.using(s)
	p.need("where")
	s.relations = p.relations()
	return s
}

// statementsOf splits the text of several statements, each with a semicolon at the end of a line.
func statementsOf(text string) (list []string) {
	for _, s := range strings.Split(text, ";\n") {
		var lines []string
		for _, line := range strings.Split(s, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), "--") {
				lines = append(lines, line)
			}
		}
		if s = strings.TrimSpace(strings.Join(lines, "\n")); s != "" {
			list = append(list, s)
		}
	}
	return list
}
