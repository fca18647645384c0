package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"popelago/mail"
)

// readWhole reads the body of a request, bounded by maxBody, before an operation decodes the body.
// An incomplete body, such as a body in broken chunks, and a body outside UTF-8 are errors of the
// client: decoding the latter would change its characters.
//
// The time limits for reading end with the body. During the answer net/http reads on, to notice a
// client that disconnects. A passed limit would look like a disconnect, and would end the context
// of every operation that takes longer.
//
// The text of a message is no such body: the operation reads the text piece by piece.
func readWhole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bringsMessage(r) {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			writeProblem(w, http.StatusRequestEntityTooLarge, "the body of the request is too long")
			return
		case err != nil:
			writeProblem(w, http.StatusBadRequest, "the body of the request did not come in whole")
			return
		}
		if err := mail.CheckUTF8(string(body)); err != nil {
			writeProblem(w, http.StatusBadRequest, "the body of the request: "+err.Error())
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // an error: w has no limits
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
