package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/store"
)

// DomainPath is the part of a request that names a domain. It is exported because huma fills only
// exported embedded fields.
type DomainPath struct {
	Domain string `path:"domain" maxLength:"255" doc:"The domain's name."`
}

func (a *api) addDomains() {
	type page struct {
		PartialQuery
		After string `query:"after" maxLength:"255" doc:"The page begins behind this name: the value of next in the page before."`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"Most domains of a page."`
	}
	type list struct{ Body adminclient.DomainList }
	register(a, huma.Operation{
		OperationID: "list-domains", Method: http.MethodGet, Path: "/v1/domains",
		Summary: "List the hosted domains within the scopes of the caller, a page at a time",
	}, func(ctx context.Context, in *page) (*list, error) {
		domains, err := a.directory.ListDomains(ctx)
		unread, err := a.unreadOf(in.PartialQuery, err)
		if err != nil {
			return nil, err
		}
		caller := callerOf(ctx)
		out := &list{adminclient.DomainList{Domains: []adminclient.Domain{}, Unread: unread}}
		for _, d := range domains {
			if d.Name <= in.After || !caller.Reaches(d.Name) {
				continue
			}
			if n := len(out.Body.Domains); n == in.Limit {
				out.Body.Next = out.Body.Domains[n-1].Name
				break
			}
			out.Body.Domains = append(out.Body.Domains, domainOf(d))
		}
		return out, nil
	})

	type add struct{ Body adminclient.NewDomain }
	type added struct{ Body adminclient.Domain }
	register(a, huma.Operation{
		OperationID: "add-domain", Method: http.MethodPost, Path: "/v1/domains",
		Summary: "Start hosting a domain", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *add) (*added, error) {
		d, err := a.directory.AddDomain(ctx, in.Body.Name)
		if err != nil {
			return nil, err
		}
		a.logger.Info("domain added", "domain", d.Name)
		return &added{domainOf(d)}, nil
	})

	a.addDomainSettings()

	register(a, huma.Operation{
		OperationID: "remove-domain", Method: http.MethodDelete, Path: "/v1/domains/{domain}",
		Summary: "Stop hosting a domain that has no accounts",
	}, func(ctx context.Context, in *DomainPath) (*struct{}, error) {
		if err := a.directory.RemoveDomain(ctx, in.Domain); err != nil {
			return nil, err
		}
		a.logger.Info("domain removed", "domain", in.Domain)
		return nil, nil
	})
}

func (a *api) addDomainSettings() {
	type settings struct {
		DomainPath
		Body adminclient.DomainSettings
	}
	type changed struct {
		ETag string `header:"ETag"`
		Body adminclient.Domain
	}
	register(a, huma.Operation{
		OperationID: "show-domain", Method: http.MethodGet, Path: "/v1/domains/{domain}",
		Summary: "Show a hosted domain",
	}, func(ctx context.Context, in *DomainPath) (*changed, error) {
		d, err := a.directory.Domain(ctx, in.Domain)
		if err != nil {
			return nil, err
		}
		out := &changed{Body: domainOf(d)}
		out.ETag, err = tagOfDomain(d)
		return out, err
	})
	register(a, huma.Operation{
		OperationID: "change-domain", Method: http.MethodPut, Path: "/v1/domains/{domain}/settings",
		Summary: "Change settings of a domain; absent settings stay unchanged",
	}, func(ctx context.Context, in *settings) (*changed, error) {
		c, err := domainChange(in.Body)
		if err != nil {
			return nil, err
		}
		d, err := a.directory.ChangeDomain(ctx, in.Domain, c)
		if err != nil {
			return nil, err
		}
		out := &changed{Body: domainOf(d)}
		if out.ETag, err = tagOfDomain(d); err != nil {
			return nil, err
		}
		a.logger.Info("domain changed", "domain", d.Name, "durability", out.Body.Durability, "retention", out.Body.Retention)
		return out, nil
	})
}

// domainChange turns a request into a change.
func domainChange(s adminclient.DomainSettings) (c store.DomainChange, err error) {
	if s.Durability != "" {
		durability, err := mail.ParseDurability(s.Durability)
		if err != nil {
			return c, fmt.Errorf("%w: %w", account.ErrBadSetting, err)
		}
		c.Durability = &durability
	}
	if s.Retention != "" {
		retention, err := parseRetention(s.Retention)
		if err == nil && retention == mail.AsDomain {
			err = fmt.Errorf("%w: a domain has no other to follow: retention %q", account.ErrBadSetting, s.Retention)
		}
		if err != nil {
			return c, err
		}
		c.Retention = &retention
	}
	return c, nil
}

func parseRetention(s string) (mail.Retention, error) {
	r, err := mail.ParseRetention(s)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", account.ErrBadSetting, err)
	}
	return r, nil
}

// inForce returns the text of a retention in force.
func inForce(r mail.Retention) string { return r.Or(mail.Forever).String() }

func domainOf(d store.Domain) adminclient.Domain {
	return adminclient.Domain{
		Name: d.Name, Created: d.Created, Durability: string(d.Durability), Retention: inForce(d.Retention),
	}
}
