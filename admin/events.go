package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// happened reports an administrative action of the caller.
func (a *api) happened(ctx context.Context, e event.Event) {
	if a.cfg.Events == nil {
		return
	}
	a.cfg.Events.Happened(a.signed(ctx, e))
}

// signed adds the caller to an event.
func (a *api) signed(ctx context.Context, e event.Event) event.Event {
	e.Actor, e.Protocol = callerOf(ctx).ID, "HTTP"
	return e
}

// loginFailed reports a login of a user, or a request with a token, that was refused. name is the address as given;
// empty: a token, or a name that is not shown, see account.MayShow.
func (a *api) loginFailed(r *http.Request, name, reason string) {
	if a.cfg.Events == nil || reason == "" {
		return
	}
	e := event.Event{Kind: event.LoginFailed, Remote: remoteOf(r).Unmap(), Protocol: "HTTP", Cause: reason}
	if address, ok := a.directory.LoginAddress(name); ok {
		e.Address = address.String()
	}
	a.cfg.Events.Happened(e)
}

// access reports an access to message n before the answer, and waits for the record where Config.Required
// asks for it. Errors: those of event.Recorder.
func (a *api) access(ctx context.Context, operation string, m *openedMaildrop, n int) error {
	if a.cfg.Events == nil && a.cfg.Required == nil {
		return nil
	}
	row, err := m.Row(n)
	if err != nil {
		return err
	}
	e := event.Event{
		Kind: event.Accessed, Operation: operation, Mailbox: m.account.Mailbox, Address: m.account.Address.String(),
	}.Of(row)
	if a.cfg.Required != nil {
		return a.cfg.Required.Record(ctx, a.signed(ctx, e))
	}
	a.happened(ctx, e)
	return nil
}

// reportRemoved returns a function that reports messages that an operation has removed, with a doubt if they may be there
// still; nil without a listener.
func (a *api) reportRemoved(ctx context.Context, operation string, address mail.Address, mailbox mail.MailboxID) func(rows []mail.Message, doubt string) {
	if a.cfg.Events == nil {
		return nil
	}
	e := event.Event{Kind: event.Removed, Operation: operation, Mailbox: mailbox, Address: address.String()}
	return func(rows []mail.Message, doubt string) {
		e.Cause = doubt
		for _, row := range rows {
			a.happened(ctx, e.Of(row))
		}
	}
}

// reportRestored returns a function that reports messages that the operation has restored; nil without a
// listener.
func (a *api) reportRestored(ctx context.Context, operation string, address mail.Address, mailbox mail.MailboxID) func(mail.Message) {
	if a.cfg.Events == nil {
		return nil
	}
	e := event.Event{Kind: event.Restored, Operation: operation, Mailbox: mailbox, Address: address.String()}
	return func(row mail.Message) { a.happened(ctx, e.Of(row)) }
}

// removedMessages reports the messages of a maildrop that an administrator has removed, and the request. After a
// failed removal the events have the cause event.CauseRemovalDoubt.
func (a *api) removedMessages(ctx context.Context, m *openedMaildrop, octets int64, failed error) {
	if a.cfg.Events == nil {
		return
	}
	e := event.Event{Kind: event.Removed, Operation: "remove-messages", Mailbox: m.account.Mailbox, Address: m.account.Address.String()}
	if failed != nil {
		e.Cause = event.CauseRemovalDoubt
	}
	m.EachMarked(func(row mail.Message) { a.happened(ctx, e.Of(row)) })
	e.Kind, e.Messages, e.Size = event.Accessed, int64(m.Marked()), octets
	a.happened(ctx, e)
}

// noChanges lists operations that change nothing although they are no GET, and operations that report
// themselves.
func noChanges() []string {
	return []string{
		"verify-message", "put-message", "remove-messages", "restore-messages", "test-address", "test-auth", "test-message",
		"add-token", "revoke-token", "import-accounts",
	}
}

// reports reports whether the success of an operation is a change.
func (a *api) reports(u rule) bool {
	return a.cfg.Events != nil && u.method != http.MethodGet && !slices.Contains(noChanges(), u.operation)
}

// before describes the subject of a change before the change.
func (a *api) before(ctx context.Context, u rule, touched []string) string {
	if !a.reports(u) {
		return ""
	}
	return a.describe(ctx, u, first(touched))
}

// changeDoubt is the cause of the events of a change with an unknown outcome.
const changeDoubt = "the change was not confirmed"

// reportDoubt reports a change that may have been made, also of operations that report their successes
// themselves: the error may have come first.
func (a *api) reportDoubt(ctx context.Context, u rule, touched []string, before string) {
	if a.reports(u) || a.cfg.Events != nil && (u.operation == "add-token" || u.operation == "revoke-token") {
		a.happened(ctx, a.changeOf(ctx, u, touched, before, changeDoubt))
	}
}

// reportChange reports a change.
func (a *api) reportChange(ctx context.Context, u rule, touched []string, before string) {
	if a.reports(u) {
		a.happened(ctx, a.changeOf(ctx, u, touched, before, ""))
	}
}

// changeOf returns the event of a change. Another change at the same time may be part of the difference. cause is
// the doubt about the change; empty: none.
func (a *api) changeOf(ctx context.Context, u rule, touched []string, before, cause string) event.Event {
	e := event.Event{Cause: cause, Kind: event.Changed, Operation: u.operation, Address: subjectOf(first(touched)), Before: before}
	after := first(touched)
	if u.operation == "rename-account" && len(touched) > 1 {
		after = touched[1]
	}
	e.After = a.describe(ctx, u, after)
	if u.reach == self {
		if login, err := loginOf(ctx); err == nil {
			e.Address = login.Address.String()
		}
	}
	return e
}

// subjectOf returns the canonical form of an address or a domain, or the text itself.
func subjectOf(text string) string {
	if address, err := mail.ParseAddress(text); err == nil {
		return address.Canonical().String()
	}
	if domain, err := mail.CanonicalDomain(text); err == nil {
		return domain
	}
	return text
}

// describe describes an account, a domain, an alias or a group as JSON, without passwords; empty: the
// subject does not exist, cannot be read now, or has no description.
func (a *api) describe(ctx context.Context, u rule, resource string) string {
	var value any
	switch {
	case u.tag == taggedAlias || strings.HasSuffix(u.operation, "-alias"):
		value = a.describeAlias(ctx, resource, store.KindAlias)
	case u.tag == taggedGroup || strings.HasSuffix(u.operation, "-group"):
		value = a.describeAlias(ctx, resource, store.KindGroup)
	case u.tag == taggedDomain || u.operation == "add-domain":
		d, err := a.directory.Domain(ctx, resource)
		if err != nil {
			return ""
		}
		value = struct {
			adminclient.Domain
			Settings map[string]string `json:"settings,omitempty"`
		}{domainOf(d), d.Settings}
	case u.tag == taggedAccount || u.operation == "add-account":
		address, err := mail.ParseAddress(resource)
		if err != nil {
			return ""
		}
		acc, err := a.directory.Account(ctx, address)
		if err != nil {
			return ""
		}
		value = struct {
			adminclient.Account
			Settings map[string]string `json:"settings,omitempty"`
		}{accountOf(acc), acc.Settings}
	}
	text, err := json.Marshal(value)
	if value == nil || err != nil {
		return ""
	}
	return string(text)
}

// describeAlias returns the targets of an alias or a group; nil: there is none.
func (a *api) describeAlias(ctx context.Context, resource string, kind store.AddressKind) any {
	found, err := a.alias(ctx, resource, kind)
	if err != nil {
		return nil
	}
	return struct {
		Address string   `json:"address"`
		Targets []string `json:"targets"`
	}{found.Address.String(), mail.AddressTexts(found.Targets)}
}
