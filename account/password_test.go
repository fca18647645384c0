package account

import (
	"testing"
	"testing/synctest"
)

// The number of simultaneous hashes never exceeds the turns, even for logins that cannot succeed: an
// attacker must not be able to use up memory.
func TestHashesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := cheap(newClock()).withDefaults()
		cfg.MaxConcurrentHashes = 2
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPasswords(cfg, m)
		if err != nil {
			t.Fatal(err)
		}
		const logins = 10
		begun, release := make(chan struct{}, logins), make(chan struct{})
		p.hashed = func() {
			begun <- struct{}{}
			<-release
		}
		results := make(chan error, logins)
		for range logins {
			go func() {
				leave, err := p.queue.turn(t.Context(), seat{})
				if err == nil {
					p.refuse("secret")
					leave()
				}
				results <- err
			}()
		}
		for done := 0; done < logins; done += cfg.MaxConcurrentHashes {
			synctest.Wait()
			if n := len(begun); n != done+cfg.MaxConcurrentHashes {
				t.Fatalf("%d hashes begun while %d have ended, want %d at a time", n, done, cfg.MaxConcurrentHashes)
			}
			for range cfg.MaxConcurrentHashes {
				release <- struct{}{}
			}
		}
		for range logins {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
	})
}
