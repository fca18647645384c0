package task

import (
	"popelago/account"
	"popelago/event"
	"popelago/mail"
)

// reporter returns a function that reports removed messages of an account as events of a kind; nil without a
// listener.
func reporter(l event.Listener, kind event.Kind, g account.Generation) func([]mail.Message) {
	if l == nil {
		return nil
	}
	e := event.Event{Kind: kind, Mailbox: g.Mailbox, Address: g.Row.Address.String()}
	return func(rows []mail.Message) {
		for _, row := range rows {
			l.Happened(e.Of(row))
		}
	}
}
