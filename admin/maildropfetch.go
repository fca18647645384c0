package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// textPause bounds the time in which a client takes or brings a piece of the text of a message.
const textPause = time.Minute

func (a *api) addFetch() {
	op := huma.Operation{
		OperationID: "fetch-message", Method: http.MethodGet, Path: "/v1/maildrops/{address}/message",
		Summary:     "Fetch a message: its octets exactly as RETR sends them, without dot-stuffing",
		Description: "The access is logged. A message that cannot be read to its end breaks the connection before the announced length.",
		Responses: map[string]*huma.Response{"200": {
			Description: "The octets of the message.",
			Content:     map[string]*huma.MediaType{mediaOctets: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
		}},
	}
	huma.Register(a.huma, op, permitted(a, op, func(ctx context.Context, in *MessagePath) (*huma.StreamResponse, error) {
		m, n, err := a.message(ctx, *in)
		if err != nil {
			return nil, err
		}
		if err := a.access(ctx, "fetch-message", m, n); err != nil {
			m.Close()
			return nil, err
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer m.Close()
			_, w := humago.Unwrap(c)
			a.fetch(ctx, w, m, n)
		}}, nil
	}))
}

// mediaOctets is the media type of a fetched message: no program should interpret mail of strangers by
// itself.
const mediaOctets = "application/octet-stream"

// fetch sends message n. An error before the first octet is answered as any error.
func (a *api) fetch(ctx context.Context, w http.ResponseWriter, m *openedMaildrop, n int) {
	const operation = "fetch-message"
	row, err := m.Row(n)
	if err != nil {
		a.writeError(w, operation, err)
		return
	}
	access := []any{"message", row.ID.String(), "uniqueId", string(row.UniqueID()), "octets", row.Size}
	r, err := m.Read(ctx, n)
	if err != nil {
		a.writeError(w, operation, err)
		return
	}
	defer r.Close()
	text := &textResponse{w: w, control: http.NewResponseController(w), size: r.Size}
	_, err = r.WriteTo(text)
	switch {
	case err == nil:
		a.accessed(ctx, operation, m.account, access...)
	case !text.begun:
		a.writeError(w, operation, err)
	default:
		a.accessed(ctx, operation, m.account, append(access, "incomplete", err.Error())...)
		panic(http.ErrAbortHandler) // breaks the connection: the client must notice
	}
}

// writeError answers with an error outside of huma.
func (a *api) writeError(w http.ResponseWriter, operation string, err error) {
	p := a.problem(operation, err)
	var status huma.StatusError
	if errors.As(p, &status) {
		writeProblem(w, status.GetStatus(), p.Error())
	}
}

// textResponse sends the text of a message. The status line is sent with the first octets.
type textResponse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	size    int64
	begun   bool
}

// Write implements io.Writer.
func (t *textResponse) Write(p []byte) (int, error) {
	if !t.begun {
		t.begun = true
		t.w.Header().Set("Content-Type", mediaOctets)
		t.w.Header().Set("Content-Disposition", "attachment")
		t.w.Header().Set("Content-Length", strconv.FormatInt(t.size, 10))
	}
	_ = t.control.SetWriteDeadline(time.Now().Add(textPause)) // an error: w has no limits
	return t.w.Write(p)
}
