package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/token"
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
		return &result{resolutionOf(callerOf(ctx), address, found)}, nil
	})
}

// resolutionOf returns an explanation in the API's form, without the steps and accounts that the caller may not see.
func resolutionOf(c token.Caller, a mail.Address, e account.Explanation) adminclient.Resolution {
	steps, all := visibleSteps(c, e.Steps)
	out := adminclient.Resolution{
		Address: a.String(), Result: adminclient.ResolvedAccepted,
		Steps: make([]adminclient.ResolutionStep, len(steps)), Recipients: []adminclient.ResolvedRecipient{},
	}
	switch {
	case e.Err == nil:
	case errors.Is(e.Err, account.ErrMisdirected):
		out.Result, out.Reason = adminclient.ResolvedDeferred, e.Err.Error()
	default:
		out.Result, out.Reason = adminclient.ResolvedRefused, e.Err.Error()
	}
	if !all && e.Err != nil { // the text names addresses, or a setting of an account
		out.Reason = "because of a domain outside the scopes of the token"
	}
	for i, s := range steps {
		out.Steps[i] = adminclient.ResolutionStep{
			Depth: s.Depth, Address: s.Address.String(), Result: s.Result, Rule: s.Rule, Targets: mail.AddressTexts(s.Targets),
		}
	}
	for _, r := range e.Recipients {
		if c.Reaches(r.Address.Canonical().Domain) {
			out.Recipients = append(out.Recipients, adminclient.ResolvedRecipient{Address: r.Address.String(), Mailbox: r.Mailbox.String()})
		}
	}
	return out
}

// visibleSteps returns the steps that a caller may see. A step that another domain decided has the result
// adminclient.ResolvedOutside, and the steps behind are left out. all reports whether the caller may see everything.
func visibleSteps(c token.Caller, steps []account.Step) (visible []account.Step, all bool) {
	all = true
	hidden := -1 // the depth of the last step with ResolvedOutside; -1: none
	for _, s := range steps {
		switch {
		case hidden >= 0 && s.Depth > hidden:
			continue
		case c.Reaches(s.Domain):
			hidden = -1
		default:
			hidden, all = s.Depth, false
			s = account.Step{Depth: s.Depth, Address: s.Address, Result: adminclient.ResolvedOutside}
		}
		visible = append(visible, s)
	}
	return visible, all
}
