package trace

import (
	"crypto/sha256"
	"strings"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// Keys of rows, see the package comment. Part of the layout of stored data.
const (
	keyAll          = "*"
	keyFailedLogins = "f"
)

func keyAddress(a string) string          { return bounded("a"+a, store.MaxRecordKey) }
func keyLogins(a string) string           { return bounded("l"+a, store.MaxRecordKey) }
func keyDomain(d string) string           { return bounded("d"+d, store.MaxRecordKey) }
func keyMessage(id mail.MessageID) string { return "m" + string(id[:]) }
func keyUIDL(u mail.UIDL) string          { return bounded("u"+string(u), store.MaxRecordKey) }

// keyHeader returns the key of a field Message-ID in the form of event.HeaderID.
func keyHeader(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "h" + string(sum[:16])
}

// traceKeys lists the keys of an event in the trace.
func traceKeys(e event.Event) (keys []string) {
	isAccount := strings.Contains(e.Address, "@")
	switch {
	case e.Kind == event.Changed || e.Kind == event.LoginFailed || e.Kind == event.Unfetched || e.Kind == event.Growing || !isAccount:
		return nil
	case e.Kind == event.LoggedIn:
		return []string{keyLogins(e.Address)}
	}
	keys = append(keys, keyAddress(e.Address))
	if !e.Message.IsZero() {
		keys = append(keys, keyMessage(e.Message))
	}
	if e.HeaderID != "" {
		keys = append(keys, keyHeader(e.HeaderID))
	}
	if e.UIDL != "" {
		keys = append(keys, keyUIDL(e.UIDL))
	}
	return keys
}

// auditKeys lists the keys of an event in the audit.
func auditKeys(e event.Event) (keys []string) {
	switch e.Kind {
	case event.Accepted, event.Refused, event.OverQuota, event.Unfetched, event.Growing:
		return nil
	}
	_, domain, isAccount := cutLast(e.Address)
	if isAccount {
		keys = append(keys, keyAddress(e.Address))
	}
	if e.Kind == event.LoginFailed {
		keys = append(keys, keyFailedLogins)
	}
	if e.Kind.Administrative() {
		keys = append(keys, keyAll)
		if domain != "" {
			keys = append(keys, keyDomain(domain))
		}
	}
	return keys
}

// cutLast returns the parts of an address. A domain alone has no local-part.
func cutLast(address string) (local, domain string, isAccount bool) {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[:at], address[at+1:], true
	}
	return "", address, false
}

// bounded returns the first n octets of a text.
func bounded(s string, n int) string { return s[:min(len(s), n)] }
