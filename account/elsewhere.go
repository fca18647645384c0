package account

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// elsewhereWait is how long a look into the other datacenters waits for its turn.
const elsewhereWait = 2 * time.Second

// readElsewhere is read with what the other datacenters know: an account made there a moment
// ago, or a password changed there, may not have arrived here. It is asked before anybody hears
// "no such recipient" or "bad credentials", in hosted domains only, and so often at most as
// Config.ElsewherePerSecond says, because whoever guesses addresses and passwords makes it
// happen. Where there is one datacenter there is nobody to ask: it says that there is none.
//
// Errors: store.ErrUnavailable while a datacenter cannot be reached, or when too many ask.
func (d *Directory) readElsewhere(ctx context.Context, a mail.Address) (*entry, error) {
	each := d.all.At(store.LevelEach)
	if each == d.all {
		return nil, nil
	}
	domain, err := d.settings(ctx, a.Domain)
	if err != nil || domain.Name == "" {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, elsewhereWait)
	defer cancel()
	if err := d.elsewhere.Wait(wait); err != nil {
		d.metrics.lookups.WithLabelValues("error").Inc()
		return nil, fmt.Errorf("account: look up address: %w: too many ask for what is not here: %w", store.ErrUnavailable, err)
	}
	return d.readFrom(ctx, each, a)
}
