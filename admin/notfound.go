package admin

import "net/http"

// problems answers requests without an operation, an unknown path or method, with problem details
// (RFC 9457), in place of the plain text of the mux.
func problems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		answer := headOnly{header: http.Header{}}
		mux.ServeHTTP(&answer, r)
		if answer.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", answer.header.Get("Allow")) // RFC 9110 section 15.5.6
			writeProblem(w, http.StatusMethodNotAllowed, "the path has no operation with this method")
			return
		}
		writeProblem(w, http.StatusNotFound, "there is no operation with this path: /openapi.json lists all")
	})
}

// headOnly keeps the status and the header of an answer.
type headOnly struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (h *headOnly) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *headOnly) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *headOnly) Write(b []byte) (int, error) { return len(b), nil }
