package embedded

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The table in the package comment has every kind of key, every column and every setting.
func TestPackageCommentListsAllKeys(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(file.Doc.Text(), "# Keys\n")
	if !ok {
		t.Fatal("the package comment has no heading Keys")
	}
	table, _, _ = strings.Cut(table, "For example")
	var prefixes []string
	for _, m := range regexp.MustCompile(`(?m)^\t([a-z]) `).FindAllStringSubmatch(table, -1) {
		prefixes = append(prefixes, m[1])
	}
	slices.Sort(prefixes)
	for kind, got := range map[string]string{
		"prefix":  strings.Join(prefixes, ""),
		"column":  quotedAfter(table, "column is one of"),
		"setting": quotedAfter(table, "setting is one of"),
	} {
		if want := octets(t, kind); got != want {
			t.Errorf("the package comment has the octets %q of a %s, the code %q", got, kind, want)
		}
	}
}

// quotedAfter returns the first quoted text after some words.
func quotedAfter(text, words string) string {
	_, rest, _ := strings.Cut(text, words+" \"")
	quoted, _, _ := strings.Cut(rest, "\"")
	return quoted
}

// octets joins the values of all constants with a name such as prefixMailbox, in order.
func octets(t *testing.T, kind string) string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	constant := regexp.MustCompile("^" + kind + "[A-Z]")
	var values []string
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			decl, ok := decl.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				continue
			}
			for _, spec := range decl.Specs {
				spec := spec.(*ast.ValueSpec)
				if len(spec.Values) != 1 || !constant.MatchString(spec.Names[0].Name) {
					continue
				}
				if value, ok := spec.Values[0].(*ast.BasicLit); ok && value.Kind == token.CHAR {
					octet, _, _, err := strconv.UnquoteChar(strings.Trim(value.Value, "'"), '\'')
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, string(octet))
				}
			}
		}
	}
	slices.Sort(values)
	return strings.Join(values, "")
}
