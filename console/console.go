package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"popelago/defaults"
)

// Root is the path of the console, and begins the paths of all its pages.
const Root = "/console/"

// Config holds the settings of the console. The zero value of a field with a default means its default,
// see DefaultConfig.
type Config struct {
	// Session is the time after the sign-in for which a session lasts.
	Session time.Duration
	// Streams is the largest number of streams of live figures at one time. Further streams get 503.
	Streams int
	// Every is the pause between two live figures of a stream.
	Every time.Duration
	// Search bounds the time in which a page collects the entries of a search: the API examines a part of a long
	// list at a time.
	Search time.Duration

	// Secret is the secret that the key for sessions is made of: the same on all servers. Empty: a random
	// key, so a session ends with the process and counts on this server alone.
	Secret string
	// Background ends the streams. Default: streams end with their clients.
	Background context.Context
	// Logger takes panics and faults of the pages. Default: nothing is logged.
	Logger *slog.Logger
	// Metrics counts panics. Default: they are only logged.
	Metrics *Metrics
	// Now returns the time. Default time.Now.
	Now func() time.Time
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{Session: 8 * time.Hour, Streams: 20, Every: 2 * time.Second, Search: 2 * time.Second}
}

// complete returns cfg with its defaults.
func complete(cfg Config) Config {
	cfg = defaults.Fill(cfg, DefaultConfig())
	if cfg.Background == nil {
		cfg.Background = context.Background()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// console holds the values shared by the pages.
type console struct {
	site
	api     http.Handler
	streams chan struct{} // a place for each stream
}

// New makes the handler of the console. api is the administration API for callers with a token. The
// handler serves the paths below Root.
func New(cfg Config, api http.Handler) (http.Handler, error) {
	if api == nil {
		return nil, errors.New("console: the API is needed")
	}
	cfg = complete(cfg)
	s, err := newSite(cfg, Root, "admin", "popelago_console")
	if err != nil {
		return nil, err
	}
	c := &console{site: s, api: api, streams: make(chan struct{}, cfg.Streams)}
	mux := http.NewServeMux()
	c.addSignIn(mux)
	c.addStatus(mux)
	c.addDomains(mux)
	c.addAccounts(mux)
	c.addAliases(mux)
	c.addMaildrops(mux)
	c.addSessions(mux)
	c.addEvents(mux)
	c.addTasks(mux)
	c.addTokens(mux)
	mux.HandleFunc(Root, c.page(func(*request) error { return errNoPage }))
	return c.guard(mux), nil
}
