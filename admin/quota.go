package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/quota"
)

func (a *api) addQuotas() {
	type shown struct{ Body adminclient.Quota }
	register(a, huma.Operation{
		OperationID: "show-quota", Method: http.MethodGet, Path: "/v1/accounts/{address}/quota",
		Summary: "Show the use of a maildrop and its quota",
	}, func(ctx context.Context, in *AccountPath) (*shown, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		l, err := a.directory.Limited(ctx, address)
		if err != nil {
			return nil, err
		}
		u, err := a.quotas.Usage(ctx, l.Mailbox, l.Limits.Retention)
		if err != nil {
			return nil, err
		}
		return &shown{quotaOf(l, u)}, nil
	})

	type domain struct{ Body adminclient.DomainQuota }
	register(a, huma.Operation{
		OperationID: "show-domain-quota", Method: http.MethodGet, Path: "/v1/domains/{domain}/quota",
		Summary: "Show the use of all maildrops of a domain and their common quota",
	}, func(ctx context.Context, in *DomainPath) (*domain, error) {
		q, err := a.domainQuota(ctx, in.Domain)
		if err != nil {
			return nil, err
		}
		return &domain{q}, nil
	})

	type listQuery struct {
		DomainPath
		PartialQuery
		After string `query:"after" maxLength:"1000" doc:"The page begins behind this local-part: the value of next in the page before."`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Most accounts that the page examines."`
		Above int    `query:"above" minimum:"0" maximum:"1000" default:"0" doc:"Only maildrops that use this share of their quota or more, in percent; 0: all."`
	}
	type list struct{ Body adminclient.QuotaList }
	register(a, huma.Operation{
		OperationID: "list-quotas", Method: http.MethodGet, Path: "/v1/domains/{domain}/quotas",
		Summary: "List the maildrops of a domain by the use of their quota, a page at a time", Description: shortPages,
	}, func(ctx context.Context, in *listQuery) (*list, error) {
		accounts, next, err := a.directory.ListLimited(ctx, in.Domain, in.After, in.Limit)
		unread, err := a.unreadOf(in.PartialQuery, err)
		if err != nil {
			return nil, err
		}
		out := &list{adminclient.QuotaList{Quotas: []adminclient.Quota{}, Next: next}}
		u := &uses{api: a, PartialQuery: in.PartialQuery}
		for _, l := range accounts {
			if in.Above > 0 && !l.Limits.Mailbox() {
				continue
			}
			used, ok, err := u.of(ctx, l.Address, l.Mailbox, l.Limits.Retention)
			if err != nil {
				return nil, err
			}
			if q := quotaOf(l, used); ok && q.Percent >= in.Above {
				out.Body.Quotas = append(out.Body.Quotas, q)
			}
		}
		out.Body.Unread = append(unread, u.unread...)
		return out, nil
	})
}

func quotaOf(l account.Limited, u quota.Usage) adminclient.Quota {
	return adminclient.Quota{
		Address: l.Address.String(), Octets: u.Octets, Messages: u.Messages,
		MaxOctets: l.Limits.Octets, MaxMessages: l.Limits.Messages, Percent: u.Percent(l.Limits.Octets, l.Limits.Messages),
	}
}

func (a *api) domainQuota(ctx context.Context, name string) (adminclient.DomainQuota, error) {
	domain, err := a.directory.Domain(ctx, name)
	if err != nil {
		return adminclient.DomainQuota{}, err
	}
	var total quota.Total
	total, known, err := a.quotas.Domain(ctx, domain.Name)
	if err != nil {
		return adminclient.DomainQuota{}, err
	}
	octets, messages := a.directory.DomainQuota(domain)
	q := adminclient.DomainQuota{
		Name: domain.Name, Octets: total.Octets, Messages: total.Messages, MaxOctets: octets, MaxMessages: messages,
		Percent: total.Percent(octets, messages),
	}
	if known {
		q.Measured = &total.Ended
	}
	return q, nil
}
