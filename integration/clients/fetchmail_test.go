package clients

import (
	"testing"

	"popelago/integration/mailprogram"
)

// fetchmailClient is fetchmail: see mailprogram.Fetchmail.
func fetchmailClient() client {
	const blank = "adds the blank line behind a header that ends the message"
	return client{
		name: "fetchmail", program: "fetchmail", pkg: "fetchmail",
		securities: []security{plain, stls, implicitTLS},
		prepare:    func(t testing.TB, to target) fetcher { return mailprogram.NewFetchmail(t, to) },
		many:       10_000,
		changes: map[string]string{
			"dot-first":     "leaves the doubled dot of a header line",
			"dot-only":      "takes a line without colon for the end of the header",
			"line-70k":      "breaks lines of the body after 8 KiB",
			"line-70k-dots": "breaks lines of the body after 8 KiB",
			"no-header-70k": "breaks lines of the body after 8 KiB",
			"header-only":   blank,
			"empty":         blank,
		},
	}
}
