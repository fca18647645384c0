package admin

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"popelago/account"
	"popelago/delivery"
	"popelago/maildrop"
	"popelago/store"
	"popelago/task"
)

// maxBody bounds request bodies, in octets. The longest is a password.
const maxBody = 64 << 10

// Config holds the settings of the API.
type Config struct {
	// Token is the secret of the clients. Empty: requests need no token.
	Token string
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
	// Deliverer stores the messages that clients bring. Default: a new one.
	Deliverer *delivery.Deliverer
	// Hostname stands in the Received line of messages that clients bring.
	Hostname string
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
	huma      huma.API
}

// New makes the handler of the API.
func New(cfg Config, dir *account.Directory, st store.Store) (http.Handler, error) {
	if dir == nil || st.Mail.Local == nil {
		return nil, errors.New("admin: a directory and a store are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
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
	if cfg.Deliverer == nil {
		deliverer, err := delivery.New(delivery.Config{Logger: cfg.Logger}, dir, st, nil)
		if err != nil {
			return nil, err
		}
		cfg.Deliverer = deliverer
	}
	mux := http.NewServeMux()
	a := &api{
		cfg: cfg, logger: cfg.Logger, directory: dir, mail: st.Mail.Local, levels: st.Mail, lists: maildrop.NewLists(), upkeep: st.Upkeep.Local,
		huma: humago.New(mux, humaConfig(cfg)),
	}
	a.addHealth()
	a.addDomains()
	a.addAccounts()
	a.addTasks()
	a.addCheck()
	a.addClock()
	a.addLate()
	a.addMaildrops()
	return a.guard(withCaller(readWhole(mux))), nil
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
	if cfg.Token != "" {
		c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
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
