package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"popelago/account"
	"popelago/adminclient"
	"popelago/delivery"
	"popelago/event"
	"popelago/mail"
)

// mediaMessage is the media type of a message that a client brings.
const mediaMessage = "message/rfc822"

// bringsMessage reports whether the body of a request is the text of a message: such a body is not
// read whole, see readWhole.
func bringsMessage(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == testMessagePath || strings.HasPrefix(r.URL.Path, "/v1/maildrops/") && strings.HasSuffix(r.URL.Path, "/messages"))
}

// putRequest names the maildrop and the reverse-path; Resolve keeps the body.
type putRequest struct {
	AccountPath
	Sender string `query:"sender" maxLength:"1000" doc:"The reverse-path; absent: the null reverse-path."`
	text   io.Reader
	kind   string
}

// Resolve implements huma.Resolver.
func (p *putRequest) Resolve(c huma.Context) []error {
	r, w := humago.Unwrap(c)
	p.text = &textRequest{r: r.Body, control: http.NewResponseController(w)}
	p.kind, _, _ = strings.Cut(c.Header("Content-Type"), ";")
	return nil
}

func (a *api) addPut() {
	type put struct{ Body adminclient.PutMessage }
	op := huma.Operation{
		OperationID: "put-message", Method: http.MethodPost, Path: "/v1/maildrops/{address}/messages",
		Summary:       "Store a message in a maildrop, through delivery",
		Description:   "The message gets the lines and passes the checks of a message that arrives by LMTP. A bare LF becomes CRLF.",
		RequestBody:   textBody(),
		DefaultStatus: http.StatusCreated,
	}
	huma.Register(a.huma, op, permitted(a, op, func(ctx context.Context, in *putRequest) (*put, error) {
		if !strings.EqualFold(strings.TrimSpace(in.kind), mediaMessage) {
			return nil, huma.NewError(http.StatusUnsupportedMediaType, "the text of a message has the type "+mediaMessage)
		}
		out, err := a.put(ctx, in)
		if err != nil {
			return nil, err
		}
		return &put{out}, nil
	}))
}

// textBody describes a request whose body is the text of a message.
func textBody() *huma.RequestBody {
	return &huma.RequestBody{
		Required: true, Description: "The text of the message.",
		Content: map[string]*huma.MediaType{mediaMessage: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
}

// put delivers a message to one account. The recipient passes the check of RCPT.
func (a *api) put(ctx context.Context, in *putRequest) (out adminclient.PutMessage, err error) {
	address, err := in.parse()
	if err != nil {
		return out, err
	}
	if in.Sender != "" {
		sender, err := mail.ParseAddress(in.Sender)
		if err != nil {
			return out, err
		}
		in.Sender = sender.PathString()
	}
	acc, err := a.directory.Maildrop(ctx, address)
	if err != nil {
		return out, err
	}
	recipients, err := a.cfg.Deliverer.Check(ctx, address)
	if errors.Is(err, account.ErrNoSuchRecipient) || errors.Is(err, delivery.ErrNotHosted) {
		err = account.ErrNoSuchAccount
	}
	if err != nil {
		return out, err
	}
	incoming, err := a.cfg.Deliverer.Begin(ctx, mail.Envelope{
		ReversePath: in.Sender, Recipients: recipients, NormalizeLF: true,
		Received: mail.Received{Helo: "administration", By: a.cfg.Hostname, With: "HTTP"},
	})
	if err != nil {
		return out, err
	}
	defer incoming.Discard()
	if _, err := incoming.ReadFrom(in.text); err != nil {
		return out, err
	}
	if err := stillValid(ctx); err != nil {
		return out, err
	}
	res := incoming.Finish(ctx)
	if err := res.Errors[0]; err != nil {
		return out, err
	}
	out = adminclient.PutMessage{ID: res.ID.String(), UniqueID: string(res.ID.UIDL()), Octets: res.Size, Repeated: res.Repeated}
	a.happened(ctx, event.Event{
		Kind: event.Accessed, Operation: "put-message", Mailbox: acc.Mailbox, Address: acc.Address.String(), Message: res.ID, Size: res.Size, Sender: in.Sender,
	})
	a.accessed(ctx, "put-message", acc, "message", out.ID, "uniqueId", out.UniqueID, "sender", in.Sender, "octets", out.Octets)
	return out, nil
}

// errIncomplete: the client disconnected, or paused too long, within the text of a message.
var errIncomplete = errors.New("the text of the message did not come in whole")

// answerTime bounds the time between a piece of the text of a message and the end of the answer.
const answerTime = 5 * time.Minute

// textRequest reads the text of a message, with a limit for each piece. The limits for reading end with the text: see
// readWhole. The time for the answer begins anew with each piece: a client that misses the answer stores the message once
// more. In HTTP/2 a passed limit would also break the text off.
type textRequest struct {
	r       io.Reader
	control *http.ResponseController
}

// Read implements io.Reader. Errors: errIncomplete.
func (t *textRequest) Read(p []byte) (int, error) {
	t.limit(time.Now().Add(textPause))
	n, err := t.r.Read(p)
	if err != nil {
		t.limit(time.Time{})
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = errors.Join(errIncomplete, err)
	}
	return n, err
}

func (t *textRequest) limit(reading time.Time) {
	// An error: there are no limits.
	_ = t.control.SetReadDeadline(reading)
	_ = t.control.SetWriteDeadline(time.Now().Add(answerTime))
}
