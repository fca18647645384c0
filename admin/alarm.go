package admin

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/task"
)

func (a *api) addAlarms() {
	type query struct {
		Kind       string `query:"kind" enum:"unfetched,growing" doc:"Only alarms of this kind."`
		Server     string `query:"server" maxLength:"500" doc:"Only this server: its name or its host name."`
		Datacenter string `query:"datacenter" maxLength:"100" doc:"Only the servers of this datacenter."`
		Local      bool   `query:"local" doc:"Only the server that answers, which asks no other server."`
		Limit      int    `query:"limit" minimum:"1" maximum:"20000" default:"1000" doc:"Most alarms of the answer."`
	}
	type list struct{ Body adminclient.AlarmList }
	register(a, huma.Operation{
		OperationID: "list-alarms", Method: http.MethodGet, Path: "/v1/alarms",
		Summary: "List the maildrops that need attention: nobody fetches the mail, or the maildrop grows out of character",
		Description: "Each server is asked for the maildrops of its share, as its last run of the job alarms found them. The answer lists the " +
			"servers, and says which did not answer. A token for domains sees the accounts of these domains.",
	}, func(ctx context.Context, in *query) (*list, error) {
		out, err := a.listAlarms(ctx, adminclient.AlarmFilter{Kind: in.Kind, Server: in.Server, Datacenter: in.Datacenter, Local: in.Local}, in.Limit)
		if err != nil {
			return nil, err
		}
		return &list{out}, nil
	})
}

// listAlarms returns the alarms of all selected servers that the caller may see. The servers of every datacenter
// judge all maildrops, so an alarm that several servers report is listed once.
func (a *api) listAlarms(ctx context.Context, f adminclient.AlarmFilter, limit int) (out adminclient.AlarmList, err error) {
	servers, warning, err := a.servers(ctx, selection{f.Server, f.Datacenter, f.Local})
	if err != nil {
		return out, err
	}
	own := func() adminclient.AlarmList { return a.ownAlarms(ctx, f.Kind) }
	ask := func(ctx context.Context, c *adminclient.Client) (adminclient.AlarmList, error) {
		return c.Alarms(ctx, adminclient.AlarmFilter{Kind: f.Kind, Local: true}, maxOwnAlarms)
	}
	parts := gather(ctx, a, servers, own, ask, func(l adminclient.AlarmList) string { return answering(l.Parts) })
	out.Alarms, out.Parts = []adminclient.Alarm{}, partsOf(parts, warning)
	judged := true
	for _, p := range parts {
		if p.err != nil {
			continue
		}
		out.Alarms = append(out.Alarms, p.answer.Alarms...)
		out.More += max(p.answer.More, 0)
		switch at := p.answer.Judged; {
		case at == nil:
			judged = false
		case out.Judged == nil || at.Before(*out.Judged):
			out.Judged = at
		}
	}
	if !judged {
		out.Judged = nil
	}
	slices.SortFunc(out.Alarms, func(a, b adminclient.Alarm) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Address, b.Address), a.Since.Compare(b.Since))
	})
	out.Alarms = slices.CompactFunc(out.Alarms, func(a, b adminclient.Alarm) bool { return a.Kind == b.Kind && a.Address == b.Address })
	if n := len(out.Alarms); n > limit {
		out.More += n - limit
		out.Alarms = out.Alarms[:limit]
	}
	return out, nil
}

// maxOwnAlarms is the largest limit, which the alarms of one server do not exceed.
const maxOwnAlarms = 20000

// ownAlarms returns the alarms of this server that the caller may see.
func (a *api) ownAlarms(ctx context.Context, kind string) (out adminclient.AlarmList) {
	alarms, counts, ended := a.cfg.Alarms.List()
	by := callerOf(ctx)
	for _, alarm := range alarms {
		if kind == "" || kind == alarm.Kind {
			counts[alarm.Kind]--
			if by.All || by.Reaches(alarm.Address.Domain) {
				out.Alarms = append(out.Alarms, alarmOf(alarm))
			}
		}
	}
	for k, left := range counts {
		if by.All && (kind == "" || kind == k) {
			out.More += left // the number of all alarms says nothing about the domains of a caller
		}
	}
	out.Judged = moment(ended)
	return out
}

func alarmOf(a task.Alarm) adminclient.Alarm {
	return adminclient.Alarm{
		Kind: a.Kind, Address: a.Address.String(), Since: a.Since.UTC(), Oldest: a.Oldest.UTC(),
		LastLogin: moment(a.LastLogin), Messages: a.Day, Usual: a.Usual,
	}
}
