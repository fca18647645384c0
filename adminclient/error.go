package adminclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// ErrNoServer is wrapped by errors about an unreachable server.
var ErrNoServer = errors.New("no server answers")

// ErrNoAnswer is wrapped by errors about an answer that is missing or cannot be read. The server may have
// done the work.
var ErrNoAnswer = errors.New("no answer that can be used")

// ErrNotPermitted: the socket of the server exists, or may exist, but this user has no access.
var ErrNotPermitted = errors.New("permission denied: only the user that runs the server may use its socket. Run this command as that user, or as root")

// Error is a refusal by the server: its status and problem details (RFC 9457).
type Error struct {
	// Status is the HTTP status.
	Status int
	// Detail is the server's text for people; may be empty.
	Detail string
	// Fields names the wrong parts of a malformed request.
	Fields []string
}

// Error is the server's text, or the status if there is no text.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	if len(e.Fields) == 0 {
		return text
	}
	if e.Detail == malformed { // says nothing to people
		return "wrong request: " + strings.Join(e.Fields, "; ")
	}
	return text + ": " + strings.Join(e.Fields, "; ")
}

// malformed is the text of the server for a request with wrong parts.
const malformed = "validation failed"

// maxErrorBody bounds the body of an error, in octets.
const maxErrorBody = 64 << 10

// problem is the body of an error (RFC 9457 section 3), with the list of details that the server
// adds.
type problem struct {
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// errorOf makes an Error of an unexpected response.
func errorOf(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || kind != "application/problem+json" {
		return e
	}
	var p problem
	if json.NewDecoder(io.LimitReader(resp.Body, maxErrorBody)).Decode(&p) != nil {
		return e
	}
	e.Detail = p.Detail
	for _, d := range p.Errors {
		field := d.Message
		if d.Location != "" {
			field = partOf(d.Location) + ": " + field
		}
		e.Fields = append(e.Fields, field)
	}
	return e
}

// partOf returns the name of a part of a request without its place in HTTP: "role" for "body.role".
func partOf(location string) string {
	for _, place := range []string{"body.", "query.", "path."} {
		if name, ok := strings.CutPrefix(location, place); ok {
			return name
		}
	}
	return location
}
