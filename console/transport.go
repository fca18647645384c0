package console

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"popelago/adminclient"
)

// maxAnswer bounds an answer of the API, in octets.
const maxAnswer = 16 << 20

// errHuge: an answer of the API is longer than maxAnswer.
var errHuge = errors.New("the answer of the API is too long")

// inProcess is a transport to the API in this process. Requests come from the client of the page: they
// have its address and its TLS, which the limits and the rules of the API look at.
type inProcess struct {
	api  http.Handler
	page *http.Request
}

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := req.Clone(req.Context())
	r.RemoteAddr, r.TLS, r.RequestURI = t.page.RemoteAddr, t.page.TLS, req.URL.RequestURI()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	a := &answer{header: http.Header{}}
	t.api.ServeHTTP(a, r)
	if a.huge {
		return nil, errHuge
	}
	a.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: req,
	}, nil
}

// answer keeps an answer of the API in memory.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	huge   bool
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.body.Len()+len(b) > maxAnswer {
		a.huge = true
		return 0, errHuge
	}
	return a.body.Write(b)
}

// client returns a client of the API for the client of a page.
func client(api http.Handler, page *http.Request, token string) (*adminclient.Client, error) {
	return adminclient.Via("http://popelago", token, inProcess{api, page})
}
