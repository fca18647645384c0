package app

import (
	"fmt"
	"os"

	"popelago/config"
	"popelago/mail"
)

// hostName returns the name of this server in its canonical form: the configured name, or the name of
// the machine.
func hostName(cfg config.Config) (string, error) {
	name, from := cfg.Hostname, "hostname"
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return "", asSetting(fmt.Errorf("read the name of this machine (or set hostname): %w", err))
		}
		from = "the name of this machine (set hostname)"
	}
	canonical, err := mail.CanonicalHostname(name)
	if err != nil {
		return "", asSetting(fmt.Errorf("%s: %w", from, err))
	}
	return canonical, nil
}
