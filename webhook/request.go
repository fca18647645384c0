package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"popelago/store"
)

// contentType is the type of a request's body.
const contentType = "application/json"

// body is the body of a request.
type body struct {
	Type    string    `json:"type"`
	Webhook string    `json:"webhook"`
	Events  []message `json:"events"`
}

// bodyType is the type of each body.
const bodyType = "popelago.events"

// message is an event in a body.
type message struct {
	// ID is the same in each repetition.
	ID    string `json:"id"`
	Event any    `json:"event"`
}

// queued is a row of a lane.
type queued struct {
	lane string
	row  store.Record
}

// eventID returns the id of an event: the same for all rows of the event.
func (q queued) eventID() string { return hex.EncodeToString(q.row.ID[:]) }

// client sends requests.
type client struct {
	cfg  Config
	http *http.Client
}

func newClient(cfg Config) *client {
	return &client{cfg: cfg, http: &http.Client{
		Timeout: cfg.Timeout,
		// A redirect would show the events to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusal is an answer with a status other than 2xx.
type refusal struct {
	status int
	after  time.Duration // of Retry-After; 0: none
}

func (r *refusal) Error() string {
	if r.status >= 300 && r.status < 400 {
		return fmt.Sprintf("status %d: redirects are not followed", r.status)
	}
	return fmt.Sprintf("status %d", r.status)
}

// errAnswer: the webhook gave no answer.
var errAnswer = errors.New("no answer")

// encodeBody returns the body of a request, without the rows that are damaged; nil: all rows are.
func (c *client) encodeBody(t Target, batch []queued, damaged func(queued, error)) ([]byte, error) {
	b := body{Type: bodyType, Webhook: t.Name, Events: make([]message, 0, len(batch))}
	for _, q := range batch {
		e, err := decode(q.row)
		if err != nil {
			damaged(q, err)
			continue
		}
		b.Events = append(b.Events, message{ID: q.eventID(), Event: c.cfg.Form(e)})
	}
	if len(b.Events) == 0 {
		return nil, nil
	}
	return json.Marshal(b)
}

// post sends a body. Errors: *refusal, errAnswer.
func (c *client) post(ctx context.Context, t Target, id string, text []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(text))
	if err != nil {
		return withoutURL(err)
	}
	at := strconv.FormatInt(c.cfg.Place.Now().Unix(), 10)
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Popelago/"+c.cfg.Version)
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", sign(t.Key, id, at, text))
	response, err := c.http.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // for the next request on the connection
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &refusal{status: response.StatusCode, after: time.Duration(max(seconds, 0)) * time.Second}
}

// sign returns the signature of a request, as Standard Webhooks defines it.
func sign(key []byte, id, at string, text []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(text)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// withoutURL returns an error without the URL, which may have a password.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return fmt.Errorf("%w: time-out", errAnswer)
		}
		err = u.Err
	}
	return fmt.Errorf("%w: %w", errAnswer, err)
}
