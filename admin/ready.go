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
	partStorage   = `storage: %d of %d small reads have no answer, so a part of the mailboxes cannot be served, "popelago doctor" looks for the cause`
	reasonClock   = `clock: the server does not trust its clock and refuses mail, "popelago clock show" says why`
)

// Check returns nil if the server is in service, can read its store and trusts its clock. The warning is that of
// Storage. Errors: errNotReady with each reason.
func (r *Readiness) Check(ctx context.Context) (warning string, err error) {
	var reasons []string
	if r.process.Service().State != adminclient.Serving {
		reasons = append(reasons, reasonDrained)
	}
	if warning, err = r.Storage(ctx); err != nil {
		reasons = append(reasons, reasonStorage)
	}
	if r.clocks.Clock() != nil {
		reasons = append(reasons, reasonClock)
	}
	if len(reasons) == 0 {
		return warning, nil
	}
	return "", fmt.Errorf("%w: %s", errNotReady, strings.Join(reasons, "; "))
}

// Storage returns nil if the server can read its store, with a warning if the server can read it only in part. Errors: the
// store's.
func (r *Readiness) Storage(ctx context.Context) (warning string, err error) {
	unread, err := r.directory.Readable(ctx)
	if err != nil || unread == 0 {
		return "", err
	}
	return fmt.Sprintf(partStorage, unread, account.Probes), nil
}
