package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
)

// ResolutionPath names an address in a request. ResolutionPath is exported because huma fills only
// exported embedded fields.
type ResolutionPath struct {
	Address string `path:"address" maxLength:"1000" doc:"Any address."`
}

func (a *api) addResolution() {
	type result struct{ Body adminclient.Resolution }
	register(a, huma.Operation{
		OperationID: "resolve-address", Method: http.MethodGet, Path: "/v1/addresses/{address}/resolution",
		Summary: "Explain where mail for an address goes",
	}, func(ctx context.Context, in *ResolutionPath) (*result, error) {
		address, err := mail.ParseAddress(in.Address)
		if err != nil {
			return nil, err
		}
		found, err := a.directory.Explain(ctx, address)
		if err != nil {
			return nil, err
		}
		return &result{resolutionOf(address, found)}, nil
	})
}

func resolutionOf(a mail.Address, e account.Explanation) adminclient.Resolution {
	out := adminclient.Resolution{
		Address: a.String(), Result: adminclient.ResolvedAccepted,
		Steps: make([]adminclient.ResolutionStep, len(e.Steps)), Recipients: make([]adminclient.ResolvedRecipient, len(e.Recipients)),
	}
	switch {
	case e.Err == nil:
	case errors.Is(e.Err, account.ErrMisdirected):
		out.Result, out.Reason = adminclient.ResolvedDeferred, e.Err.Error()
	default:
		out.Result, out.Reason = adminclient.ResolvedRefused, e.Err.Error()
	}
	for i, s := range e.Steps {
		out.Steps[i] = adminclient.ResolutionStep{
			Depth: s.Depth, Address: s.Address.String(), Result: s.Result, Rule: s.Rule, Targets: mail.AddressTexts(s.Targets),
		}
	}
	for i, r := range e.Recipients {
		out.Recipients[i] = adminclient.ResolvedRecipient{Address: r.Address.String(), Mailbox: r.Mailbox.String()}
	}
	return out
}
