package bench

import (
	"context"
	"fmt"
	"time"
)

// SeedConfig holds the settings of Seed's scenario. Zero values give the published scenario.
type SeedConfig struct {
	// Mail takes the messages, by Protocol; default LMTP. POP3 gives them out.
	Mail     Target
	Protocol Protocol
	POP3     Target

	// Logins are the users; published: 80.
	Logins []Login

	Messages Messages

	// Rate is in messages per second. Default 100.
	Rate float64

	// Duration is the duration of the delivery. Default 10m.
	Duration time.Duration

	// Scale shortens Duration: 0.01 makes 6 s out of 10 minutes. Default 1.
	Scale float64

	// Connections is the number of connections at one time. Default 16.
	Connections int

	// Window is as in DrainConfig.
	Window int

	// Journal takes records for Verify. May be nil. With a journal, each message is also read with
	// TOP before its removal.
	Journal *Journal

	// Progress is updated during the run. May be nil.
	Progress *Progress
}

// Seed runs the published scenario of the idea behind this mail store: 100 messages a second for 10
// minutes to 80 users, then STAT for every user, then DELE of all messages and QUIT. The report has
// a part for each of the three.
func Seed(ctx context.Context, cfg SeedConfig) (Report, error) {
	if cfg.Rate == 0 {
		cfg.Rate = 100
	}
	if cfg.Duration == 0 {
		cfg.Duration = 10 * time.Minute
	}
	if cfg.Scale == 0 {
		cfg.Scale = 1
	}
	if cfg.Scale < 0 || cfg.Rate < 0 {
		return Report{}, fmt.Errorf("bench: scale %v, rate %v: want positive numbers", cfg.Scale, cfg.Rate)
	}
	if cfg.Connections == 0 {
		cfg.Connections = 16
	}
	if err := validateLogins(cfg.Logins); err != nil {
		return Report{}, err
	}
	users := make([]string, len(cfg.Logins))
	for i, l := range cfg.Logins {
		users[i] = l.Name
	}
	whole := Report{Name: "seed", Start: time.Now()}
	phases := []func() (Report, error){
		func() (Report, error) {
			return Deliver(ctx, DeliverConfig{
				Target: cfg.Mail, Protocol: cfg.Protocol, Users: users, Messages: cfg.Messages,
				Connections: cfg.Connections, Rate: cfg.Rate,
				Count:   max(1, int64(cfg.Rate*cfg.Duration.Seconds()*cfg.Scale)),
				Journal: cfg.Journal, Progress: cfg.Progress,
			})
		},
		func() (Report, error) {
			return Poll(ctx, PollConfig{
				Target: cfg.POP3, Logins: cfg.Logins, Connections: cfg.Connections,
				Count: int64(len(cfg.Logins)), Progress: cfg.Progress,
			})
		},
		func() (Report, error) {
			return Drain(ctx, DrainConfig{
				Target: cfg.POP3, Logins: cfg.Logins, Connections: cfg.Connections, Window: cfg.Window,
				NoRetr: true, Journal: cfg.Journal, Progress: cfg.Progress,
			})
		},
	}
	for _, phase := range phases {
		part, err := phase()
		if part.Name != "" {
			whole.Parts = append(whole.Parts, part)
		}
		whole.Seconds = time.Since(whole.Start).Seconds()
		whole.Stopped = part.Stopped
		if err != nil || part.Stopped {
			return whole, err
		}
	}
	return whole, nil
}
