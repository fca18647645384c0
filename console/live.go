package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"popelago/adminclient"
)

// Limits of a stream of live figures.
const (
	// streamLife ends a stream, whose browser connects again.
	streamLife = 10 * time.Minute
	// streamPatience limits the time in which a client takes one event.
	streamPatience = 10 * time.Second
)

// figures is an event of the stream, as JSON.
type figures struct {
	Servers []figure `json:"servers"`
	// Warning is the reason for which servers may be missing.
	Warning string `json:"warning,omitempty"`
}

// figure has the load of one server.
type figure struct {
	Name     string `json:"name"`
	State    string `json:"state"`    // empty without an answer
	Problem  string `json:"problem"`  // of a missing answer
	Sessions int    `json:"sessions"` // open connections of all protocols
	// Accepted, Retrieved and Removed are messages in one second since the event before; negative: unknown.
	Accepted  float64 `json:"accepted"`
	Retrieved float64 `json:"retrieved"`
	Removed   float64 `json:"removed"`
	Heap      string  `json:"heap"`
}

// counts is the counters of a server at one moment.
type counts struct {
	at   time.Time
	load adminclient.Load
}

// live sends the figures of all servers as server-sent events, until the client, the session or the
// server ends. The event "end" has the reason, and the browser stops.
func (c *console) live(r *request) error {
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		return errStreams
	}
	before := map[string]counts{}
	first, err := c.figures(r, before)
	if err != nil {
		return err
	}
	s := &stream{w: r.w, control: http.NewResponseController(r.w)}
	r.w.Header().Set("Content-Type", "text/event-stream")
	r.w.Header().Set("X-Accel-Buffering", "no") // a proxy in front sends events at once
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	end := time.NewTimer(min(streamLife, max(0, r.session.Until.Sub(c.cfg.Now()))))
	defer end.Stop()
	for now := first; ; {
		if s.send("", now) != nil {
			return nil // the client is gone
		}
		if own := stateOf(now, r); own != adminclient.Serving {
			return s.bye("This server is going out of service: the live figures have ended.")
		}
		select {
		case <-tick.C:
		case <-end.C:
			return nil
		case <-r.Context().Done():
			return nil
		case <-c.cfg.Background.Done():
			return s.bye("The server is stopping: the live figures have ended.")
		}
		if now, err = c.figures(r, before); err != nil {
			return s.bye("The live figures have ended: " + problemOf(err).Text)
		}
	}
}

// stateOf returns the state of the server that answers.
func stateOf(now figures, r *request) string {
	for _, f := range now.Servers {
		if f.Name == r.own {
			return f.State
		}
	}
	return adminclient.Serving
}

// figures asks all servers. before holds the counters of the event before, by server.
func (c *console) figures(r *request, before map[string]counts) (figures, error) {
	list, err := r.api.Servers(r.Context())
	if err != nil {
		return figures{}, err
	}
	now := c.cfg.Now()
	out := figures{Servers: []figure{}, Warning: list.Warning}
	for _, s := range list.Servers {
		f := figure{Name: s.Name, State: s.State, Problem: s.Problem, Accepted: -1, Retrieved: -1, Removed: -1}
		if s.Own {
			r.own = s.Name
		}
		if s.Load != nil {
			for _, n := range s.Load.Sessions {
				f.Sessions += n
			}
			f.Heap = octetsOf(s.Load.HeapOctets)
			if last, ok := before[s.Name]; ok {
				f.rates(last, *s.Load, now)
			}
			before[s.Name] = counts{now, *s.Load}
		}
		out.Servers = append(out.Servers, f)
	}
	return out, nil
}

// rates sets the messages in one second. Counters that fall belong to a server that has started again.
func (f *figure) rates(last counts, load adminclient.Load, now time.Time) {
	seconds := now.Sub(last.at).Seconds()
	rate := func(before, after int64) float64 {
		if seconds <= 0 || after < before {
			return -1
		}
		return float64(after-before) / seconds
	}
	f.Accepted = rate(last.load.Accepted, load.Accepted)
	f.Retrieved = rate(last.load.Retrieved, load.Retrieved)
	f.Removed = rate(last.load.Removed, load.Removed)
}

// stream writes server-sent events (the event stream of HTML).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes one event with data as JSON, which has no line end. Empty: an event without a name.
func (s *stream) send(event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("console: live figures: %w", err)
	}
	// An error: the writer has no limits.
	_ = s.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if event != "" {
		event = "event: " + event + "\n"
	}
	if _, err := fmt.Fprintf(s.w, "%sdata: %s\n\n", event, text); err != nil {
		return err
	}
	return s.control.Flush()
}

// bye sends the last event. Its reader may be gone.
func (s *stream) bye(reason string) error {
	_ = s.send("end", reason)
	return nil
}
