package wire

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// summary logs events of one kind that strangers can cause without limit. The first event is logged
// at once. Further events within Config.SummaryEvery are counted, and logged as one line at the end
// of the interval:
//
//	connection refused remote=192.0.2.1 cause="too many connections"
//	connection refused again times=4711 addresses=60 most_from=192.0.2.1 most=200 cause="too many connections"
//
// Safe for concurrent use.
type summary struct {
	cfg   *Config
	level slog.Level
	text  string

	mu    sync.Mutex
	timer *time.Timer // nil: no event within the last SummaryEvery
	times int         // events since the last line
	from  map[netip.Addr]int
	cause error // of the last event
}

// maxSummed limits the addresses whose events a summary counts.
const maxSummed = 1000

func newSummary(cfg *Config, level slog.Level, text string) *summary {
	return &summary{cfg: cfg, level: level, text: text, from: map[netip.Addr]int{}}
}

// note logs or counts one event of a connection.
func (s *summary) note(c *Conn, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.timer = time.AfterFunc(s.cfg.SummaryEvery, s.tick)
		s.log(s.text, "session", c.id, "remote", c.RemoteText(), "cause", cause)
		return
	}
	s.times++
	s.cause = cause
	if _, ok := s.from[c.remote]; ok || len(s.from) < maxSummed {
		s.from[c.remote]++
	}
}

// LogSummed logs an event of the connection that strangers can cause without limit: the first event
// at once, further events summed up, see Config.SummaryEvery. There should be few texts, each with
// one level.
func (c *Conn) LogSummed(level slog.Level, text string, cause error) {
	c.srv.summaries.of(level, text).note(c, cause)
}

// summaries are the summaries of a server.
type summaries struct {
	cfg *Config

	mu     sync.Mutex
	byText map[string]*summary
}

// of returns the summary of the events with a text.
func (s *summaries) of(level slog.Level, text string) *summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := s.byText[text]
	if sum == nil {
		sum = newSummary(s.cfg, level, text)
		s.byText[text] = sum
	}
	return sum
}

// end logs the events counted so far.
func (s *summaries) end() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.byText))
	s.mu.Unlock()
	for _, sum := range all {
		sum.end()
	}
}

// tick ends an interval.
func (s *summary) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		return
	}
	if s.times == 0 {
		s.timer = nil
		return
	}
	s.sumLocked()
	s.timer.Reset(s.cfg.SummaryEvery)
}

// end logs the events counted so far.
func (s *summary) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.times > 0 {
		s.sumLocked()
	}
}

func (s *summary) sumLocked() {
	var most netip.Addr
	for addr, n := range s.from {
		if n > s.from[most] {
			most = addr
		}
	}
	s.log(s.text+" again", "times", s.times, "addresses", len(s.from),
		"most_from", remoteText(most), "most", s.from[most], "cause", s.cause)
	s.times, s.cause = 0, nil
	clear(s.from)
}

func (s *summary) log(text string, args ...any) {
	s.cfg.Logger.Log(context.Background(), s.level, text, append([]any{"protocol", s.cfg.Protocol}, args...)...)
}

// remoteText names a client in logs, see Conn.RemoteText.
func remoteText(a netip.Addr) string {
	if a.IsValid() {
		return a.String()
	}
	return "local"
}
