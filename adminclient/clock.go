package adminclient

import (
	"context"
	"net/http"
	"time"
)

// Clock tells about the clock of a server's machine.
type Clock struct {
	Trusted bool      `json:"trusted" doc:"Whether the clock is taken for right. While it is not, no mail is taken, no maildrop with a retention is opened, no account or domain is changed, and background work waits."`
	Cause   string    `json:"cause,omitempty" doc:"Why it is not."`
	Now     time.Time `json:"now" doc:"The time by that clock."`
	// Ahead is in seconds.
	Ahead float64    `json:"ahead" doc:"How many seconds the clock is ahead of what it is compared with: the cluster's clocks, or the time that has passed while the server ran."`
	High  *time.Time `json:"high,omitempty" doc:"The latest time that the server remembers to have passed, also over restarts."`
}

// Clock returns what the server knows about its clock.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, http.MethodGet, "/v1/clock", nil, &clock)
	return clock, err
}

// TrustClock says that the clock of the server is right, and returns what the server makes of it. It
// cannot overrule the clocks of a cluster: then Clock.Trusted is false.
func (c *Client) TrustClock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, http.MethodPost, "/v1/clock/trust", nil, &clock)
	return clock, err
}
