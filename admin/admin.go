package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"golang.org/x/time/rate"

	"popelago/account"
	"popelago/delivery"
	"popelago/event"
	"popelago/maildrop"
	"popelago/quota"
	"popelago/store"
	"popelago/task"
	"popelago/token"
	"popelago/trace"
	"popelago/webhook"
)

// maxBody bounds request bodies, in octets. The longest is a password.
const maxBody = 64 << 10

// Config holds the settings of the API.
type Config struct {
	// Open accepts requests without a token, as from the administrator of the machine: for the unix
	// socket, which the file system guards.
	Open bool
	// Token is a secret with all rights, from the configuration. Empty: there is none.
	Token string
	// AllowInsecureAuth accepts passwords of users over connections without TLS, see selfPath.
	AllowInsecureAuth bool
	// NotesLogins reports whether the server notes logins, for the activity of accounts.
	NotesLogins bool
	// FailureDelay delays the answer to a wrong password. Default: none.
	FailureDelay time.Duration
	// Tokens judges all other tokens. Default: a new Keeper.
	Tokens *token.Keeper
	// Version is the server's version, for /healthz and the OpenAPI document.
	Version string
	// Logger takes changes made and faults. Default: nothing is logged.
	Logger *slog.Logger
	// Tasks is the background work. Default: there is none.
	Tasks *task.Runner
	// Checker compares the index with the content. Default: a new one.
	Checker *task.Checker
	// Late hands late mail over. Default: a new one.
	Late *task.Late
	// Undelete restores removed messages. Default: a new one.
	Undelete *task.Undelete
	// Alarms holds the maildrops that need attention. Default: none.
	Alarms *task.Alarms
	// Deliverer stores the messages that clients bring. Default: a new one.
	Deliverer *delivery.Deliverer
	// Hostname stands in the Received line of messages that clients bring.
	Hostname string
	// Events gets an event for each access to mail and for each change. Nil: none.
	Events event.Listener
	// Required makes the accesses of administrators to mail wait for the record of their event, which Events
	// does not get. Nil: no access waits.
	Required event.Recorder
	// Traces finds the records of events. Default: a new one.
	Traces *trace.Reader
	// Webhooks lists the queue of events. Default: a new one without webhooks.
	Webhooks Webhooks
	// Quotas knows the usage of maildrops. Default: a new one.
	Quotas *quota.Keeper
	// Peers says how peers are asked. Default: no peer is asked.
	Peers Peers
	// Process is the server itself. Default: a server that cannot be controlled.
	Process Process
	// Metrics counts panics. Default: they are only logged.
	Metrics *Metrics
}

// api holds the values shared by the operations.
type api struct {
	cfg       Config
	logger    *slog.Logger
	directory *account.Directory
	mail      store.Mail
	levels    store.Levels[store.Mail]
	lists     *maildrop.Lists
	upkeep    store.Upkeep
	quotas    *quota.Keeper
	peers     *peers
	guesses   *rate.Limiter // wrong passwords in tests
	huma      huma.API
	rights    map[string]right
	// operations lists all operations, by OperationID.
	operations []string
	// undeclared lists the operations without a right, or with a right that names a missing field.
	undeclared []string
}

// New makes the handler of the API.
func New(cfg Config, dir *account.Directory, st store.Store) (http.Handler, error) {
	mux := http.NewServeMux()
	a, err := newAPI(cfg, dir, st, mux)
	if err != nil {
		return nil, err
	}
	return a.guard(readWhole(a.guardAgain(problems(mux)))), nil
}

// newAPI registers all operations with mux.
func newAPI(cfg Config, dir *account.Directory, st store.Store, mux *http.ServeMux) (*api, error) {
	if dir == nil || st.Mail.Local == nil {
		return nil, errors.New("admin: a directory and a store are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Process == nil {
		cfg.Process = noProcess{cfg.Version}
	}
	if cfg.Tokens == nil {
		var err error
		if cfg.Tokens, err = token.New(token.Config{Logger: cfg.Logger}, st.Directory, nil); err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
	}
	if cfg.Tasks == nil {
		cfg.Tasks = task.New(task.Config{}, nil)
	}
	if cfg.Checker == nil {
		cfg.Checker = task.NewChecker(task.CheckConfig{Logger: cfg.Logger}, st, nil)
	}
	if cfg.Late == nil {
		cfg.Late = task.NewLate(dir, st, nil, nil)
	}
	if cfg.Alarms == nil {
		var err error
		if cfg.Alarms, err = task.NewAlarms(task.AlarmConfig{}, st, nil); err != nil {
			return nil, err
		}
	}
	if cfg.Undelete == nil {
		cfg.Undelete = task.NewUndelete(task.UndeleteConfig{}, dir, st)
	}
	if cfg.Webhooks.Queue == nil {
		cfg.Webhooks = Webhooks{webhook.NewQueue(webhook.DefaultConfig(), st, nil), func() map[string]webhook.Failure { return nil }}
	}
	if cfg.Traces == nil {
		cfg.Traces = trace.NewReader(trace.DefaultConfig(), st, nil)
	}
	if cfg.Quotas == nil {
		var err error
		if cfg.Quotas, err = quota.New(quota.Config{Logger: cfg.Logger}, dir, st, nil); err != nil {
			return nil, err
		}
	}
	if cfg.Deliverer == nil {
		deliverer, err := delivery.New(delivery.Config{Logger: cfg.Logger}, dir, st, nil)
		if err != nil {
			return nil, err
		}
		cfg.Deliverer = deliverer
	}
	a := &api{
		cfg: cfg, logger: cfg.Logger, directory: dir, mail: st.Mail.Local, levels: st.Mail, lists: maildrop.NewLists(), upkeep: st.Upkeep.Local, quotas: cfg.Quotas, peers: newPeers(cfg.Peers),
		guesses: newGuesses(), rights: rights(),
		huma: humago.New(mux, humaConfig(cfg)),
	}
	a.addHealth()
	a.addDomains()
	a.addAccounts()
	a.addSettings()
	a.addSelf()
	a.addSelfSessions()
	a.addSelfMail()
	a.addQuotas()
	a.addAliases()
	a.addGroups()
	a.addResolution()
	a.addTasks()
	a.addCheck()
	a.addClock()
	a.addLate()
	a.addAlarms()
	a.addMaildrops()
	a.addTokens()
	a.addServer()
	a.addSessions()
	a.addTrials()
	a.addConfig()
	a.addTraces()
	a.addEvents()
	return a, nil
}

// humaConfig describes the API. It turns off the documentation page, which would need other sites,
// and links to schemas in the bodies.
func humaConfig(cfg Config) huma.Config {
	version := cfg.Version
	if version == "" {
		version = "unknown"
	}
	c := huma.DefaultConfig("Popelago administration", version)
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.RejectUnknownQueryParameters = true
	c.Transformers = append(c.Transformers, withoutValues)
	if !cfg.Open {
		c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
			"token":    {Type: "http", Scheme: "bearer"},
			"password": {Type: "http", Scheme: "basic", Description: "Address and password of an account, for the operations below " + selfPath + " alone."},
		}
		c.Security = []map[string][]string{{"token": {}}}
	}
	return c
}

// withoutValues removes the client's values from errors: a value may be a password.
func withoutValues(_ huma.Context, _ string, body any) (any, error) {
	if e, ok := body.(*huma.ErrorModel); ok {
		for _, d := range e.Errors {
			if d != nil {
				d.Value = nil
			}
		}
	}
	return body, nil
}
