package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/store"
)

// DomainPath is the part of a request that names a domain. It is exported because huma fills
// no embedded field that is not.
type DomainPath struct {
	Domain string `path:"domain" maxLength:"255" doc:"The domain's name."`
}

func (a *api) addDomains() {
	type list struct{ Body adminclient.DomainList }
	register(a, huma.Operation{
		OperationID: "list-domains", Method: http.MethodGet, Path: "/v1/domains",
		Summary: "List the hosted domains",
	}, func(ctx context.Context, _ *struct{}) (*list, error) {
		domains, err := a.directory.ListDomains(ctx)
		if err != nil {
			return nil, err
		}
		out := &list{adminclient.DomainList{Domains: make([]adminclient.Domain, len(domains))}}
		for i, d := range domains {
			out.Body.Domains[i] = domainOf(d)
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

func domainOf(d store.Domain) adminclient.Domain {
	return adminclient.Domain{Name: d.Name, Created: d.Created}
}
