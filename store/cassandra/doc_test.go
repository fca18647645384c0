package cassandra

import (
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// schemaTable holds the key and the other columns of a table.
type schemaTable struct {
	key     string // such as "((domain, shard), local, generation)"
	columns []string
}

// The table in the package comment has every column of every table that the migrations make.
func TestPackageCommentListsAllColumns(t *testing.T) {
	documented, migrated := documentedTables(t), migratedTables(t)
	for name, want := range migrated {
		got, ok := documented[name]
		if !ok {
			t.Errorf("the package comment lacks the table %s", name)
			continue
		}
		if got.key != want.key {
			t.Errorf("the package comment gives %s the key %s, the migrations %s", name, got.key, want.key)
		}
		if !slices.Equal(got.columns, want.columns) {
			t.Errorf("the package comment gives %s the columns %q, the migrations %q", name, got.columns, want.columns)
		}
	}
	for name := range documented {
		if _, ok := migrated[name]; !ok {
			t.Errorf("the package comment has a table %s, the migrations do not", name)
		}
	}
}

// documentedTables reads the table in doc.go. Columns are words; notes end with ":" or stand in
// parentheses.
func documentedTables(t *testing.T) map[string]schemaTable {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(file.Doc.Text(), "# Tables\n")
	if !ok {
		t.Fatal("the package comment has no heading Tables")
	}
	text, _, _ = strings.Cut(text, "\n# ")
	// A table begins with its name at the first indent; its further lines are indented more.
	line := regexp.MustCompile(`(?m)^\t(\w+) +(\(\(.*?\)(?:, [\w, ]+)?\)) +(.*(?:\n\t +.*)*)$`)
	note := regexp.MustCompile(`\([^)]*\)|[^,;\n]*:`)
	tables := map[string]schemaTable{}
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		columns := strings.FieldsFunc(note.ReplaceAllString(m[3], ""), func(r rune) bool { return strings.ContainsRune(",; \t\n", r) })
		tables[m[1]] = schemaTable{key: m[2], columns: slices.Sorted(slices.Values(columns))}
	}
	return tables
}

// migratedTables reads the tables from the statements of the schema.
func migratedTables(t *testing.T) map[string]schemaTable {
	t.Helper()
	create := regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+) \(\n((?s:.*?))\n\)`)
	add := regexp.MustCompile(`^ALTER TABLE (\w+) ADD IF NOT EXISTS (\w+) [\w<>, ]+$`)
	key := regexp.MustCompile(`PRIMARY KEY \((.*)\)$`)
	tables := map[string]schemaTable{}
	for _, cql := range slices.Concat(slices.Concat(migrations()...), []string{createVersions}) {
		if m := add.FindStringSubmatch(cql); m != nil {
			table := tables[m[1]]
			table.columns = append(table.columns, m[2])
			tables[m[1]] = table
			continue
		}
		m := create.FindStringSubmatch(cql)
		if m == nil {
			t.Fatalf("the test cannot read this statement: %s", cql)
		}
		var table schemaTable
		var names []string
		for line := range strings.Lines(m[2]) {
			line = strings.TrimSuffix(strings.TrimSpace(line), ",")
			if k := key.FindStringSubmatch(line); k != nil {
				table.key = "(" + k[1] + ")"
				continue
			}
			name, kind, _ := strings.Cut(line, " ")
			if strings.HasSuffix(kind, " PRIMARY KEY") {
				table.key = fmt.Sprintf("((%s))", name)
			}
			names = append(names, name)
		}
		inKey := regexp.MustCompile(`\w+`).FindAllString(table.key, -1)
		table.columns = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(inKey, name) })
		tables[m[1]] = table
	}
	for name := range maps.Keys(tables) {
		slices.Sort(tables[name].columns)
	}
	return tables
}
