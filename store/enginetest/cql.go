package enginetest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// Statements reads the texts of all constants of the engine's file cql.go, by name. path leads to the file.
func Statements(path string) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, d := range file.Decls {
		d, ok := d.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		for _, spec := range d.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if texts[name.Name], err = textOf(spec.Values[i], texts); err != nil {
					return nil, fmt.Errorf("%s: constant %s: %w", path, name.Name, err)
				}
			}
		}
	}
	return texts, nil
}

// textOf returns the text of an expression of literals, sums, and the names of constants before it.
func textOf(e ast.Expr, before map[string]string) (string, error) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strconv.Unquote(e.Value)
	case *ast.BinaryExpr:
		x, err := textOf(e.X, before)
		if err != nil {
			return "", err
		}
		y, err := textOf(e.Y, before)
		return x + y, err
	case *ast.Ident:
		if text, ok := before[e.Name]; ok {
			return text, nil
		}
		return "", fmt.Errorf("unknown name %s", e.Name)
	}
	return "", fmt.Errorf("an expression of %T", e)
}
