package task

import (
	"popelago/account"
	"popelago/event"
	"popelago/mail"
)

// reporter returns a function that reports removed messages of an account as events of a kind; nil without a
// listener. doubt says why the messages may be there still; empty: they are gone.
func reporter(l event.Listener, kind event.Kind, g account.Generation) func(rows []mail.Message, doubt string) {
	if l == nil {
		return nil
	}
	e := event.Event{Kind: kind, Mailbox: g.Mailbox, Address: g.Row.Address.String()}
	return func(rows []mail.Message, doubt string) {
		e.Cause = doubt
		for _, row := range rows {
			l.Happened(e.Of(row))
		}
	}
}
