package app

import (
	"runtime"
	"runtime/metrics"

	"popelago/adminclient"
	"popelago/wire"
)

// Sessions describes the open sessions, for the administration API.
func (a *App) Sessions() []adminclient.Session {
	var all []adminclient.Session
	for _, server := range a.protocols() {
		for _, s := range server.OpenSessions() {
			all = append(all, sessionOf(s))
		}
	}
	return all
}

// EndSession ends a session for the administrator. False: no such session is open, or the session ends
// already.
func (a *App) EndSession(id string) bool {
	for _, server := range a.protocols() {
		if server.EndSession(id) {
			return true
		}
	}
	return false
}

func sessionOf(s wire.Session) adminclient.Session {
	client := adminclient.LocalClient
	if s.Remote.IsValid() {
		client = s.Remote.String()
	}
	return adminclient.Session{
		ID: s.ID, Protocol: s.Protocol, TLS: s.TLS, User: s.User, Client: client, Since: s.Since.UTC().Round(0),
		State: s.State, Command: s.Command, Ending: s.Ending, Commands: s.Commands, Messages: s.Messages, Octets: s.Octets,
	}
}

// Load returns the figures of this moment, for the administration API.
func (a *App) Load() *adminclient.Load {
	l := &adminclient.Load{
		Sessions: map[string]int{"pop3": 0, "pop3s": 0, "smtp": 0, "lmtp": 0}, Goroutines: runtime.NumGoroutine(),
	}
	for _, server := range a.protocols() {
		for _, s := range server.OpenSessions() {
			l.Sessions[s.Protocol]++
			switch s.Command {
			case "DATA", "BDAT":
				l.Deliveries++
			case "RETR", "TOP":
				l.Retrievals++
			}
		}
	}
	a.loadCounters(l)
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	if heap[0].Value.Kind() == metrics.KindUint64 {
		l.HeapOctets = int64(heap[0].Value.Uint64())
	}
	return l
}

// loadCounters reads the counters of messages from the metrics, which count them already.
func (a *App) loadCounters(l *adminclient.Load) {
	families, err := a.registry.Gather()
	if err != nil {
		a.logger.Warn("the metrics could not be read: the counters of messages may be missing", "cause", err)
	}
	for _, f := range families {
		var to *int64
		switch f.GetName() {
		case "popelago_delivery_messages_total":
			to = &l.Accepted
		case "popelago_pop3server_retrieved_messages_total":
			to = &l.Retrieved
		case "popelago_pop3server_removed_messages_total":
			to = &l.Removed
		default:
			continue
		}
		for _, m := range f.GetMetric() {
			result := ""
			for _, label := range m.GetLabel() {
				if label.GetName() == "result" {
					result = label.GetValue()
				}
			}
			if result == "" || result == "stored" || result == "partly" {
				*to += int64(m.GetCounter().GetValue())
			}
		}
	}
}
