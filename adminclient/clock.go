package adminclient

import (
	"context"
	"net/http"
	"time"
)

// Clock is the state of a server's clock.
type Clock struct {
	Trusted bool      `json:"trusted" doc:"Whether the server trusts its clock. Without trust it refuses mail, opens no maildrop with a retention, changes no account or domain, and does no background work."`
	Cause   string    `json:"cause,omitempty" doc:"Reason for the missing trust."`
	Now     time.Time `json:"now" doc:"The time of the clock."`
	// Ahead is in seconds.
	Ahead float64    `json:"ahead" doc:"Seconds that the clock is ahead of the cluster's clocks, or of the time that has passed while the server ran."`
	High  *time.Time `json:"high,omitempty" doc:"The latest time that the server has recorded, also before a restart."`
}

// Clock returns the state of the server's clock.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, http.MethodGet, "/v1/clock", nil, &clock)
	return clock, err
}

// TrustClock declares the clock of the server right, and returns its new state. The clocks of a
// cluster are not overruled: then Clock.Trusted is false.
func (c *Client) TrustClock(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.call(ctx, http.MethodPost, "/v1/clock/trust", nil, &clock)
	return clock, err
}
