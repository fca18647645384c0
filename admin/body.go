package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"popelago/mail"
)

// readWhole reads the body of a request, bounded by maxBody, before anybody looks into it. A body
// that does not come in whole, such as one in broken chunks, and one that is not UTF-8 are the
// client's mistakes: decoded, the latter would hold other characters than were sent.
//
// The limits of time for reading end with the body. While a request is answered net/http reads on,
// to notice a client that goes away, and a limit that passes would count as that: it would end the
// context of all that takes longer.
func readWhole(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
