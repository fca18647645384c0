package admin

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/store"
)

// Undeclared returns the operations without a right, or without a check of their right, and the rights
// without an operation.
func Undeclared(cfg Config, dir *account.Directory, st store.Store) (operations, leftOver []string, err error) {
	a, err := newAPI(cfg, dir, st, http.NewServeMux())
	if err != nil {
		return nil, nil, err
	}
	operations = a.undeclared
	for _, path := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Delete, path.Patch, path.Head, path.Options} {
			if op != nil && !slices.Contains(a.operations, op.OperationID) {
				operations = append(operations, op.OperationID)
			}
		}
	}
	for name := range a.rights {
		if !slices.Contains(a.operations, name) {
			leftOver = append(leftOver, name)
		}
	}
	return operations, leftOver, nil
}
