package embedded

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxMethods bounds the methods of a type.
const maxMethods = 20

// The engine is made of small objects that call each other in one direction, see DESIGN.md.
func TestObjects(t *testing.T) {
	methods, fields := objects(t)
	for _, name := range slices.Sorted(maps.Keys(methods)) {
		if n := methods[name]; n > maxMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, maxMethods)
		}
	}
	if n := methods["Store"]; n > 0 {
		t.Errorf("Store has %d methods; methods belong to its parts", n)
	}
	// state is 1 while the objects behind a type are followed, and 2 afterwards.
	state := map[string]int{}
	var follow func(name string, path []string)
	follow = func(name string, path []string) {
		path = append(path, name)
		if state[name] == 1 {
			t.Errorf("objects hold each other: %s", strings.Join(path, " > "))
		}
		if state[name] != 0 {
			return
		}
		state[name] = 1
		for _, field := range fields[name] {
			follow(field, path)
		}
		state[name] = 2
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		follow(name, nil)
	}
}

// objects returns the count of methods of each type of the package, and the types in the fields of each
// struct.
func objects(t *testing.T) (methods map[string]int, fields map[string][]string) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods, fields = map[string]int{}, map[string][]string{}
	inspect := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv != nil {
				methods[typeNames(n.Recv.List[0].Type)[0]]++
			}
			return false
		case *ast.TypeSpec:
			if s, ok := n.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					fields[n.Name.Name] = append(fields[n.Name.Name], typeNames(f.Type)...)
				}
			}
			return false
		}
		return true
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, inspect)
	}
	return methods, fields
}

// typeNames returns the names of this package in a type. A function may belong to any object.
func typeNames(t ast.Expr) (names []string) {
	ast.Inspect(t, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr, *ast.FuncType:
			return false
		case *ast.Ident:
			names = append(names, n.Name)
		}
		return true
	})
	return names
}
