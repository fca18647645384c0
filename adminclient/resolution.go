package adminclient

import (
	"context"
	"net/http"
	"net/url"
)

// Results of a Resolution.
const (
	ResolvedAccepted = "accepted"
	ResolvedRefused  = "refused"
	ResolvedDeferred = "deferred"
)

// ResolvedOutside is the result of a step in a domain outside the scopes of the caller.
const ResolvedOutside = "outside the scopes"

// Resolution says where mail for an address goes.
type Resolution struct {
	Address    string              `json:"address" doc:"The address as asked."`
	Result     string              `json:"result" enum:"accepted,refused,deferred" doc:"What RCPT answers, apart from limits: 250, 550 or 451."`
	Reason     string              `json:"reason,omitempty" doc:"Why the mail is not accepted."`
	Steps      []ResolutionStep    `json:"steps" nullable:"false" doc:"The way of the mail, each alias and group before its targets."`
	Recipients []ResolvedRecipient `json:"recipients" nullable:"false" doc:"The accounts that get the mail."`
}

// ResolutionStep is an address on the way.
type ResolutionStep struct {
	Depth   int      `json:"depth" doc:"Aliases and groups before the address."`
	Address string   `json:"address"`
	Result  string   `json:"result" doc:"account, alias or group; or missing, disabled, loop, visited already, beyond a limit; outside the scopes: a domain outside the scopes of the token decides, and what follows is left out."`
	Rule    string   `json:"rule,omitempty" doc:"The rule that found the address: subaddress, domain alias or catch-all; absent: the address itself exists."`
	Targets []string `json:"targets" nullable:"false" doc:"Where an alias, a group or a catch-all leads."`
}

// ResolvedRecipient is an account with its final address.
type ResolvedRecipient struct {
	Address string `json:"address" doc:"The final address, as the Delivered-To line has it."`
	Mailbox string `json:"mailbox" doc:"The id of the mailbox."`
}

// Resolve explains where mail for an address goes. Status 400: an invalid address.
func (c *Client) Resolve(ctx context.Context, address string) (Resolution, error) {
	var r Resolution
	err := c.call(ctx, http.MethodGet, "/v1/addresses/"+url.PathEscape(address)+"/resolution", nil, &r)
	return r, err
}
