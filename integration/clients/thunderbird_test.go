package clients

import (
	"testing"

	"popelago/integration/mailprogram"
)

// thunderbirdClient is Thunderbird: see mailprogram.Thunderbird.
func thunderbirdClient() client {
	return client{
		name: "thunderbird", program: "thunderbird", pkg: "thunderbird",
		securities: []security{plain, stls, implicitTLS},
		prepareAll: func(t testing.TB, to ...target) fetcherOfAll { return mailprogram.NewThunderbird(t, to...) },
		slow:       true,
		many:       2_000,
	}
}
