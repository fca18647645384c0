package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"popelago/adminclient"
	"popelago/mail"
)

// Replies are the replies of the protocol servers, as far as the tests of the API show them. app implements
// Replies.
type Replies interface {
	// RcptReply and TextReply are the replies of SMTP and LMTP to RCPT and to the end of a text, for an
	// error of package delivery; nil: accepted.
	RcptReply(err error) string
	TextReply(err error) string
	// LoginReply is the response of POP3 to a password, for an error of account.Directory.SignIn; nil:
	// accepted. ClearReply is the response on a connection that needs TLS.
	LoginReply(err error) string
	ClearReply() string
	// MayLogIn reports whether a client may send a password with or without TLS, from this machine (local)
	// or another.
	MayLogIn(tls, local bool) bool
}

// testMessagePath is the path of the operation that reads a message and stores nothing.
const testMessagePath = "/v1/tests/message"

// trialMessage names the recipient and the reverse-path; Resolve keeps the body.
type trialMessage struct {
	Address string `query:"address" required:"true" maxLength:"1000" doc:"The recipient."`
	Sender  string `query:"sender" maxLength:"1000" doc:"The reverse-path; absent: the null reverse-path."`
	text    io.Reader
}

// Resolve implements huma.Resolver.
func (t *trialMessage) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	t.text = &textRequest{r: r.Body, control: http.NewResponseController(w)}
	return nil
}

func (a *api) addTrials() {
	type result struct{ Body adminclient.Trial }
	answer := func(t *trial, err error) (*result, error) {
		if err != nil {
			return nil, err
		}
		return &result{t.Trial}, nil
	}
	type address struct{ Body adminclient.AddressTrial }
	register(a, huma.Operation{
		OperationID: "test-address", Method: http.MethodPost, Path: "/v1/tests/address",
		Summary: "Explain the decisions about mail for an address, and the replies", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *address) (*result, error) {
		t := a.newTrial(ctx)
		_, err := t.rcpt(ctx, in.Body.Address, in.Body.Size)
		return answer(t, err)
	})
	type auth struct{ Body adminclient.AuthTrial }
	register(a, huma.Operation{
		OperationID: "test-auth", Method: http.MethodPost, Path: "/v1/tests/auth",
		Summary:     "Explain the decisions about a login, and the response",
		Description: "The test counts as no login, failed or not. 429: too many wrong passwords were tested.", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *auth) (*result, error) {
		t := a.newTrial(ctx)
		return answer(t, t.auth(ctx, in.Body))
	})
	register(a, huma.Operation{
		OperationID: "test-message", Method: http.MethodPost, Path: testMessagePath,
		Summary:       "Explain the decisions about a message to an address, and the replies",
		Description:   "The message takes the way of delivery up to its storage: nothing is stored. A bare LF becomes CRLF.",
		RequestBody:   textBody(),
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *trialMessage) (*result, error) {
		t := a.newTrial(ctx)
		return answer(t, t.message(ctx, in))
	})
}

// trial is a test in progress. The decisions are made by the functions that decide about mail and logins.
type trial struct {
	adminclient.Trial
	a *api
	// reaches reports whether the caller may see the account of an address.
	reaches func(mail.Address) bool
}

func (a *api) newTrial(ctx context.Context) *trial {
	by := callerOf(ctx)
	return &trial{a: a, reaches: func(to mail.Address) bool { return by.All || by.Reaches(to.Domain) }}
}

// step adds a decision; err is the reason of a refusal.
func (t *trial) step(decision string, err error, detail string) {
	s := adminclient.TrialStep{Decision: decision, Passed: err == nil, Detail: detail}
	var reason refusal
	switch {
	case errors.As(err, &reason):
		s.Detail = string(reason)
	case err != nil:
		_, s.Detail = classify(err)
	}
	t.Steps = append(t.Steps, s)
}

func (t *trial) reply(command, reply string, protocols ...string) {
	for _, p := range protocols {
		t.Replies = append(t.Replies, adminclient.TrialReply{Protocol: p, Command: command, Reply: reply})
	}
}

// rcpt tests RCPT with a declared size; zero: unknown. It returns the recipients of an accepted address.
// Errors: mail.ErrBadAddress, those of the store.
func (t *trial) rcpt(ctx context.Context, text string, size int64) ([]mail.Recipient, error) {
	address, err := mail.ParseAddress(text)
	if err != nil {
		return nil, err
	}
	found, err := t.a.directory.Explain(ctx, address)
	if err != nil {
		return nil, err
	}
	resolution := resolutionOf(callerOf(ctx), address, found)
	t.Resolution = &resolution
	recipients, err := t.a.cfg.Deliverer.Check(ctx, address)
	t.step("recipient", err, fmt.Sprintf("the address leads to maildrops: %d", len(recipients)))
	named := []mail.Address{address.Canonical()}
	if err == nil {
		named = nil
		for _, r := range recipients {
			named = append(named, r.Address.Canonical())
		}
	}
	for _, to := range slices.Compact(named) {
		t.settings(ctx, to, "deliver", "expires", "reason", "message_size", "recipients", "quota", "quota_messages", "over_quota", "durability", "retention")
	}
	if err == nil {
		t.usage(ctx, recipients)
		err = t.a.cfg.Deliverer.Admit(ctx, recipients, size)
		t.step("limits at RCPT", err, "size and quotas of the maildrops admit the message as declared")
	}
	t.reply("RCPT", t.a.cfg.Process.RcptReply(err), "smtp", "lmtp")
	t.Accepted = err == nil
	return recipients, nil
}

// settings shows settings in force of an account that the caller reaches.
func (t *trial) settings(ctx context.Context, to mail.Address, names ...string) {
	if !t.reaches(to) {
		return
	}
	view, err := t.a.directory.AccountSettings(ctx, to)
	if err != nil {
		return // no account has exactly this address: the resolution explains the address
	}
	for _, s := range view.InForce {
		if slices.Contains(names, s.Name) && (s.Name != "reason" || s.Value != "") {
			t.Steps = append(t.Steps, adminclient.TrialStep{
				Decision: "setting of " + to.String(), Passed: true, Detail: s.Name + " is " + s.Value, Setting: s.Name, Value: s.Value, Source: string(s.Source),
			})
		}
	}
}

// usage shows the use of the maildrops that the caller reaches.
func (t *trial) usage(ctx context.Context, recipients []mail.Recipient) {
	for _, r := range recipients {
		if !t.reaches(r.Address) || !r.Limits.Mailbox() {
			continue
		}
		u, err := t.a.quotas.Usage(ctx, r.Mailbox, r.Limits.Retention)
		t.step("quota of "+r.Address.Canonical().String(), err, fmt.Sprintf("octets %d, messages %d, percent %d", u.Octets, u.Messages, u.Percent(r.Limits.Octets, r.Limits.Messages)))
	}
}

// message tests a message to one address.
func (t *trial) message(ctx context.Context, in *trialMessage) error {
	sender := ""
	if in.Sender != "" {
		address, err := mail.ParseAddress(in.Sender)
		if err != nil {
			return err
		}
		sender = address.PathString()
	}
	recipients, err := t.rcpt(ctx, in.Address, 0)
	if err != nil || !t.Accepted {
		return err
	}
	got, err := t.a.cfg.Deliverer.Try(ctx, mail.Envelope{
		ReversePath: sender, Recipients: recipients, PerCommand: []int{len(recipients)}, NormalizeLF: true,
		Received: mail.Received{Helo: "administration", By: t.a.cfg.Hostname, With: "HTTP"},
	}, in.text)
	if errors.Is(err, errIncomplete) {
		return err
	}
	if got.Normalized > 0 {
		t.step("line ends", nil, fmt.Sprintf("%d lines end in LF alone: bare_lf of [smtp] and [lmtp] decides whether a client may send that", got.Normalized))
	}
	t.step("text", err, fmt.Sprintf("octets %d of at most %d, Received lines %d", got.Size, t.a.cfg.Deliverer.MaxMessageSize(), got.Received))
	t.reply("text", t.a.cfg.Process.TextReply(err), "smtp", "lmtp")
	t.Accepted = err == nil
	return nil
}

// refusal is the reason of a refusal, for a person.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// refused returns the reason of a refusal; nil if the decision passed.
func refused(passed bool, reason string) error {
	if passed {
		return nil
	}
	return refusal(reason)
}
