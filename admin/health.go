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
		h, err := a.health(ctx)
		if err != nil {
			return nil, err
		}
		return &answer{h}, nil
	})
}

// health returns the health of a server that can read its store. Errors: the store's.
func (a *api) health(ctx context.Context) (adminclient.Health, error) {
	warning, err := NewReadiness(a.directory, a.upkeep, a.cfg.Process).Storage(ctx)
	if err != nil {
		return adminclient.Health{}, err
	}
	return a.healthy(warning), nil
}

// healthy is the answer of a server without a fault, or with a fault that a warning describes.
func (a *api) healthy(warning string) adminclient.Health {
	return adminclient.Health{Status: "ok", Version: a.cfg.Version, Warning: warning}
}
