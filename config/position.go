package config

import "github.com/pelletier/go-toml/v2/unstable"

// keyLines finds the line of every dotted key of a TOML text, tables included. The text must
// be well-formed. Of a repeated key, the last place counts.
//
// The library reports positions only of its own errors. So keyLines uses the parser of the library,
// which is marked as unstable, for line numbers only.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	table := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = addKey(lines, &p, "", e.Key())
		case unstable.KeyValue:
			addKeyValue(lines, &p, table, e)
		}
	}
	return lines
}

func addKeyValue(lines map[string]int, p *unstable.Parser, prefix string, n *unstable.Node) {
	key := addKey(lines, p, prefix, n.Key())
	if v := n.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			addKeyValue(lines, p, key, it.Node())
		}
	}
}

// addKey notes the line of each part of a dotted key and returns the whole key.
func addKey(lines map[string]int, p *unstable.Parser, prefix string, parts unstable.Iterator) string {
	for parts.Next() {
		n := parts.Node()
		prefix = joinKey(prefix, string(n.Data))
		lines[prefix] = p.Shape(n.Raw).Start.Line
	}
	return prefix
}
