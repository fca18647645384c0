package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
)

// healthPath and healthOperation name the operation that needs no token.
const (
	healthPath      = "/healthz"
	healthOperation = "health"
)

func (a *api) addHealth() {
	type answer struct{ Body adminclient.Health }
	register(a, huma.Operation{
		OperationID: healthOperation, Method: http.MethodGet, Path: healthPath,
		Summary:  "Report whether the server can read its store",
		Security: []map[string][]string{},
	}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		if _, err := a.directory.ListDomains(ctx); err != nil {
			return nil, err
		}
		return &answer{adminclient.Health{Status: "ok", Version: a.cfg.Version}}, nil
	})
}
