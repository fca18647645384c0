package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"popelago/account"
	"popelago/adminclient"
	"popelago/store"
)

// Readiness tells load balancers whether a server should get clients. Safe for concurrent use.
type Readiness struct {
	directory *account.Directory
	clocks    store.Clocks
	process   Process
}

// NewReadiness makes a Readiness of a running server.
func NewReadiness(dir *account.Directory, clocks store.Clocks, process Process) *Readiness {
	return &Readiness{directory: dir, clocks: clocks, process: process}
}

// errNotReady: the server should get no clients. The text has the reasons.
var errNotReady = errors.New("the server is not ready")

// The reasons of errNotReady, for administrators. No text has data of users or of the configuration.
const (
	reasonDrained = `out of service: "popelago server undrain" puts the server back`
	reasonStorage = "storage: the server cannot read its store, the log says why"
	reasonClock   = `clock: the server does not trust its clock and refuses mail, "popelago clock show" says why`
)

// Check returns nil if the server is in service, can read its store and trusts its clock. Errors: errNotReady
// with each reason.
func (r *Readiness) Check(ctx context.Context) error {
	var reasons []string
	if r.process.Service().State != adminclient.Serving {
		reasons = append(reasons, reasonDrained)
	}
	if r.Storage(ctx) != nil {
		reasons = append(reasons, reasonStorage)
	}
	if r.clocks.Clock() != nil {
		reasons = append(reasons, reasonClock)
	}
	if len(reasons) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", errNotReady, strings.Join(reasons, "; "))
}

// Storage returns nil if the server can read its store. Errors: the store's.
func (r *Readiness) Storage(ctx context.Context) error {
	return r.directory.Readable(ctx)
}
