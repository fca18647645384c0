package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
	"popelago/token"
)

// SessionQuery is SessionFilter as a query. SessionQuery is exported because huma fills only exported
// embedded fields.
type SessionQuery struct {
	ID         string `query:"id" maxLength:"100" doc:"Only the session with this id."`
	User       string `query:"user" maxLength:"1000" doc:"Only sessions of this account, or with @example.org of this domain."`
	Client     string `query:"client" maxLength:"100" doc:"Only sessions from this IP address or network."`
	Protocol   string `query:"protocol" enum:"pop3,pop3s,smtp,lmtp" doc:"Only sessions of this protocol; pop3 includes pop3s."`
	Server     string `query:"server" maxLength:"500" doc:"Only this server: its name or its host name."`
	Datacenter string `query:"datacenter" maxLength:"100" doc:"Only the servers of this datacenter."`
	OlderThan  string `query:"olderThan" maxLength:"30" doc:"Only sessions that are older, such as 10m."`
	Local      bool   `query:"local" doc:"Only the server that answers, which asks no other server."`
}

func (a *api) addSessions() {
	type query struct {
		SessionQuery
		Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Most sessions of the answer."`
	}
	type list struct{ Body adminclient.SessionList }
	register(a, huma.Operation{
		OperationID: "list-sessions", Method: http.MethodGet, Path: "/v1/sessions",
		Summary: "List the open sessions of all servers",
		Description: "Each server is asked for its sessions. The answer lists the servers, and says which did not answer. A token for " +
			"domains sees the sessions of the accounts of these domains, after their login.",
	}, func(ctx context.Context, in *query) (*list, error) {
		out, err := a.listSessions(ctx, adminclient.SessionFilter(in.SessionQuery), in.Limit)
		if err != nil {
			return nil, err
		}
		return &list{out}, nil
	})

	type end struct{ Body adminclient.SessionEnd }
	type ended struct{ Body adminclient.SessionsEnded }
	register(a, huma.Operation{
		OperationID: "disconnect-sessions", Method: http.MethodPost, Path: "/v1/sessions/disconnect",
		Summary: "End sessions, on all servers",
		Description: "POP3 sessions end with [SYS/TEMP], and remove nothing unless QUIT is in progress. SMTP and LMTP sessions end with " +
			"421 at the next command boundary: an accepted text gets its reply before. Ending a session twice is no error.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *end) (*ended, error) {
		out, err := a.endSessions(ctx, in.Body)
		if err != nil {
			return nil, err
		}
		return &ended{out}, nil
	})
}

// listSessions returns the sessions of all selected servers that the caller may see, the oldest first.
func (a *api) listSessions(ctx context.Context, f adminclient.SessionFilter, limit int) (out adminclient.SessionList, err error) {
	match, servers, warning, err := a.selectSessions(ctx, f)
	if err != nil {
		return out, err
	}
	own := func() adminclient.SessionList {
		return adminclient.SessionList{Sessions: a.cfg.Process.Sessions()}
	}
	local := f
	local.Server, local.Datacenter, local.Local = "", "", true
	ask := func(ctx context.Context, c *adminclient.Client) (adminclient.SessionList, error) {
		return c.Sessions(ctx, local, limit)
	}
	parts := gather(ctx, a, servers, own, ask, func(l adminclient.SessionList) string { return answering(l.Parts) })
	out.Sessions, out.Parts = []adminclient.Session{}, partsOf(parts, warning)
	for _, p := range parts {
		out.More += max(p.answer.More, 0)
		for _, s := range p.answer.Sessions {
			if match(s) {
				s.Server, s.Datacenter = p.server.Name, p.server.Datacenter
				out.Sessions = append(out.Sessions, s)
			}
		}
	}
	slices.SortFunc(out.Sessions, func(a, b adminclient.Session) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Server, b.Server), cmp.Compare(a.ID, b.ID))
	})
	if n := len(out.Sessions); n > limit {
		out.More += n - limit
		out.Sessions = out.Sessions[:limit]
	}
	return out, nil
}

// endSessions ends the sessions that the caller may end.
func (a *api) endSessions(ctx context.Context, e adminclient.SessionEnd) (out adminclient.SessionsEnded, err error) {
	f := e.SessionFilter
	if f.ID == "" && f.User == "" && f.Client == "" && !e.All {
		return out, fmt.Errorf("%w: name a session, a user or a client, or set all", account.ErrBadSetting)
	}
	match, servers, warning, err := a.selectSessions(ctx, f)
	if err != nil {
		return out, err
	}
	own := func() (ended adminclient.SessionsEnded) {
		for _, s := range a.cfg.Process.Sessions() {
			if match(s) && a.cfg.Process.EndSession(s.ID) {
				ended.Ended++
			}
		}
		return ended
	}
	e.Server, e.Datacenter, e.Local = "", "", true
	ask := func(ctx context.Context, c *adminclient.Client) (adminclient.SessionsEnded, error) {
		return c.EndSessions(ctx, e)
	}
	parts := gather(ctx, a, servers, own, ask, func(e adminclient.SessionsEnded) string { return answering(e.Parts) })
	out.Parts = partsOf(parts, warning)
	for _, p := range parts {
		out.Ended += max(p.answer.Ended, 0)
	}
	a.logger.Info("sessions disconnected", "by", callerOf(ctx).ID, "ended", out.Ended, "complete", out.Complete)
	return out, nil
}

// selectSessions returns the selection of a filter for the caller: a function that selects sessions, and the
// servers. Errors: as sessionMatcher and servers.
func (a *api) selectSessions(ctx context.Context, f adminclient.SessionFilter) (match func(adminclient.Session) bool, servers []store.Server, warning string, err error) {
	if match, err = sessionMatcher(f, callerOf(ctx), time.Now()); err != nil {
		return nil, nil, "", err
	}
	servers, warning, err = a.servers(ctx, selection{f.Server, f.Datacenter, f.Local})
	return match, servers, warning, err
}

// sessionMatcher returns a function that reports whether a filter selects a session that the caller
// reaches. Errors: account.ErrBadSetting, mail.ErrBadAddress.
func sessionMatcher(f adminclient.SessionFilter, by token.Caller, now time.Time) (func(adminclient.Session) bool, error) {
	user, err := userMatcher(f.User)
	if err != nil {
		return nil, err
	}
	client, err := clientMatcher(f.Client)
	if err != nil {
		return nil, err
	}
	before := time.Time{}
	if f.OlderThan != "" {
		age, err := time.ParseDuration(f.OlderThan)
		if err != nil || age < 0 {
			return nil, fmt.Errorf("%w: %q is not an age such as 10m or 2h", account.ErrBadSetting, f.OlderThan)
		}
		before = now.Add(-age)
	}
	return func(s adminclient.Session) bool {
		return reachesSession(by, s) && user(s.User) && client(s.Client) && (f.ID == "" || f.ID == s.ID) &&
			(f.Protocol == "" || f.Protocol == s.Protocol || f.Protocol+"s" == s.Protocol) &&
			(before.IsZero() || s.Since.Before(before))
	}, nil
}

// reachesSession reports whether a caller may see a session. Sessions without a login belong to no domain.
func reachesSession(by token.Caller, s adminclient.Session) bool {
	if by.All {
		return true
	}
	address, err := mail.ParseAddress(s.User)
	return err == nil && by.Reaches(address.Domain)
}

// userMatcher matches users with an address, or with @ and a domain; the empty text matches all.
func userMatcher(text string) (func(string) bool, error) {
	if text == "" {
		return func(string) bool { return true }, nil
	}
	if name, ok := strings.CutPrefix(text, "@"); ok {
		domain, err := mail.CanonicalDomain(name)
		return func(user string) bool { return strings.HasSuffix(user, "@"+domain) }, err
	}
	address, err := mail.ParseAddress(text)
	return func(user string) bool { return user == address.Canonical().String() }, err
}

// clientMatcher matches clients with an IP address or a network; the empty text matches all.
func clientMatcher(text string) (func(string) bool, error) {
	if text == "" {
		return func(string) bool { return true }, nil
	}
	if text == adminclient.LocalClient {
		return func(client string) bool { return client == text }, nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is not an IP address or a network", account.ErrBadSetting, text)
		}
		ip = ip.Unmap()
		network = netip.PrefixFrom(ip, ip.BitLen())
	}
	return func(client string) bool {
		ip, err := netip.ParseAddr(client)
		return err == nil && network.Contains(ip)
	}, nil
}
