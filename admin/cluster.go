package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"popelago/adminclient"
	"popelago/store"
)

// errNoServer: no known server has a name, or is in a datacenter.
var errNoServer = errors.New("no such server: \"popelago server list\" lists the servers")

// selection selects servers of the cluster. Empty fields select all.
type selection struct {
	server     string // a name or a host name
	datacenter string
	// local: this server alone, and no peer is asked.
	local bool
}

// includes reports whether a server is selected.
func (s selection) includes(server store.Server) bool {
	return (s.server == "" || s.server == server.Name || strings.EqualFold(s.server, server.Address)) &&
		(s.datacenter == "" || s.datacenter == server.Datacenter) && (!s.local || server.Own)
}

// own returns this server as the process describes it.
func (a *api) own() store.Server {
	p := a.cfg.Process.Service()
	return store.Server{Name: p.Server, Datacenter: p.Datacenter, Address: p.Hostname, Version: p.Version, Own: true}
}

// servers returns the servers that a selection includes. warning tells why servers may be missing. An
// unreachable store hides no server that was known before. Errors: errNoServer.
func (a *api) servers(ctx context.Context, sel selection) (all []store.Server, warning string, err error) {
	own := a.own()
	if sel.local {
		all = []store.Server{own}
	} else {
		all, warning = a.knownServers(ctx)
	}
	for i, s := range all {
		if s.Own && own.Name != "" {
			all[i].Name, all[i].Datacenter = own.Name, own.Datacenter
		}
		if s.Own {
			all[i].Address, all[i].Version = own.Address, own.Version
		}
	}
	all = slices.DeleteFunc(all, func(s store.Server) bool { return !sel.includes(s) })
	if len(all) == 0 {
		return nil, "", errNoServer
	}
	return all, warning, nil
}

// knownServers reads the heartbeats.
func (a *api) knownServers(ctx context.Context) (all []store.Server, warning string) {
	ctx, cancel := context.WithTimeout(ctx, a.peers.Timeout)
	defer cancel()
	all, err := a.upkeep.Servers(ctx)
	if err != nil {
		a.logger.Warn("the heartbeats of the servers cannot be read: servers may be missing from an answer", "cause", err)
		warning = "the heartbeats of the servers cannot be read: servers may be missing"
	}
	if !slices.ContainsFunc(all, func(s store.Server) bool { return s.Own }) {
		all = append(all, a.own())
	}
	return all, warning
}

// part is the part of a server in an answer.
type part[T any] struct {
	asked  adminclient.Asked
	server store.Server
	answer T // zero without answer
	err    error
}

// gather asks the servers at the same time, each within Peers.Timeout. own gives the part of this
// server, ask the part of a peer; from returns the name of the server that answered.
func gather[T any](ctx context.Context, a *api, servers []store.Server, own func() T, ask func(context.Context, *adminclient.Client) (T, error), from func(T) string) []part[T] {
	parts := make([]part[T], len(servers))
	token := cmp.Or(secretOf(ctx), a.peers.Secret)
	places := make(chan struct{}, a.peers.AtOnce)
	var wg sync.WaitGroup
	for i, s := range servers {
		p := &parts[i]
		p.server = s
		if s.Own {
			p.answer = own()
			continue
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			p.answer, p.err = askOne(ctx, a, s, token, ask, from)
		})
	}
	wg.Wait()
	for i := range parts {
		parts[i].describe(a.peers)
	}
	return parts
}

// askOne asks a peer. Errors: of the client, errOtherServer, see peers.client.
func askOne[T any](ctx context.Context, a *api, s store.Server, token string, ask func(context.Context, *adminclient.Client) (T, error), from func(T) string) (answer T, err error) {
	c, err := a.peers.client(s, token)
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.peers.Timeout)
	defer cancel()
	got, err := ask(ctx, c)
	if err != nil {
		return answer, err
	}
	if name := from(got); name != s.Name {
		return answer, fmt.Errorf("%w: %q", errOtherServer, name)
	}
	return got, nil
}

// describe fills asked.
func (p *part[T]) describe(peers *peers) {
	p.asked = adminclient.Asked{
		Server: p.server.Name, Datacenter: p.server.Datacenter, Hostname: p.server.Address, Own: p.server.Own,
		Answered: p.err == nil, LastHeartbeat: moment(p.server.Lost),
	}
	if p.err != nil {
		p.asked.Problem = peers.describe(p.err)
	}
}

// partsOf describes the servers behind an answer.
func partsOf[T any](parts []part[T], warning string) adminclient.Parts {
	out := adminclient.Parts{Complete: warning == "", Warning: warning, Servers: make([]adminclient.Asked, len(parts))}
	for i, p := range parts {
		out.Servers[i] = p.asked
		out.Complete = out.Complete && p.asked.Answered
	}
	return out
}

// answering returns the name of the server that answered a question to itself alone.
func answering(p adminclient.Parts) string {
	for _, s := range p.Servers {
		if s.Own {
			return s.Server
		}
	}
	return ""
}

// secretKey is the key of the token of a request in its context.
type secretKey struct{}

// secretOf returns the token that came with a request; empty: none.
func secretOf(ctx context.Context) string {
	s, _ := ctx.Value(secretKey{}).(string)
	return s
}

// withSecret adds the token of a request to its context.
func withSecret(ctx context.Context, r *http.Request) context.Context {
	if secret, ok := bearer(r); ok {
		return context.WithValue(ctx, secretKey{}, secret)
	}
	return ctx
}
