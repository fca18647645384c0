package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/store"
)

func (a *api) addClock() {
	type answer struct{ Body adminclient.Clock }
	register(a, huma.Operation{
		OperationID: "show-clock", Method: http.MethodGet, Path: "/v1/clock",
		Summary: "Report whether the clock of this server is trusted",
	}, func(context.Context, *struct{}) (*answer, error) {
		return &answer{clockOf(a.upkeep.ClockState())}, nil
	})
	register(a, huma.Operation{
		OperationID: "trust-clock", Method: http.MethodPost, Path: "/v1/clock/trust",
		Summary: "Declare the clock of this server right",
		Description: "The server forgets the later times that it remembers, and judges its clock anew. The clocks of a cluster are not " +
			"overruled: see trusted in the answer.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, _ *struct{}) (*answer, error) {
		if err := a.upkeep.TrustClock(ctx); err != nil && !errors.Is(err, store.ErrClock) {
			return nil, err
		}
		state := a.upkeep.ClockState()
		a.logger.Info("the clock was said to be right", "trusted", state.Err == nil)
		return &answer{clockOf(state)}, nil
	})
}

func clockOf(s store.ClockState) adminclient.Clock {
	c := adminclient.Clock{Trusted: s.Err == nil, Now: s.Now.UTC(), Ahead: s.Ahead.Seconds(), High: moment(s.High)}
	if s.Err != nil {
		c.Cause = s.Err.Error()
	}
	return c
}
