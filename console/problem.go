package console

import (
	"context"
	"errors"
	"net/http"

	"popelago/adminclient"
)

// Errors of the pages.
var (
	errSignedOut  = errors.New("you are not signed in")
	errExpired    = errors.New("your session has ended: sign in again")
	errNoPage     = errors.New("no page has this address")
	errForeign    = errors.New("the request came from another site, and changed nothing")
	errDefect     = errors.New("the server has a defect: its log has the details")
	errBadForm    = errors.New("the form did not arrive whole")
	errLongSecret = errors.New("the password or token is too long for these pages, and nothing was changed")
	errConfirm    = errors.New("nothing was changed: tick the box to confirm")
	errNotSame    = errors.New("the two new passwords differ, and nothing was changed")
	errNotPresent = errors.New("the present password is wrong, and nothing was changed")
	errStreams    = errors.New("too many pages show live figures: reload the page later")
)

// problem is the data of the page for an error.
type problem struct {
	Status int
	Text   string // says what happened
	Advice string // says what to do
	Fields []string
}

// problemOf describes an error for people.
func problemOf(err error) problem {
	var refusal *adminclient.Error
	switch {
	case errors.As(err, &refusal):
		p := problem{Status: refusal.Status, Text: refusal.Detail, Fields: refusal.Fields, Advice: adviceFor(refusal.Status)}
		if p.Text == "" {
			p.Text = http.StatusText(p.Status)
		}
		return p
	case errors.Is(err, errExpired), errors.Is(err, errSignedOut):
		return problem{Status: http.StatusUnauthorized, Text: err.Error()}
	case errors.Is(err, errNoPage):
		return problem{Status: http.StatusNotFound, Text: err.Error()}
	case errors.Is(err, errForeign):
		return problem{Status: http.StatusForbidden, Text: err.Error(), Advice: "Open the page here, and send the form again."}
	case errors.Is(err, errBadForm), errors.Is(err, errConfirm), errors.Is(err, errLongSecret), errors.Is(err, errNotSame), errors.Is(err, errNotPresent):
		return problem{Status: http.StatusBadRequest, Text: err.Error(), Advice: adviceFor(http.StatusBadRequest)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return problem{Status: http.StatusServiceUnavailable, Text: "the server had no time for this"}
	case errors.Is(err, errStreams):
		return problem{Status: http.StatusServiceUnavailable, Text: err.Error()}
	}
	return problem{Status: http.StatusInternalServerError, Text: errDefect.Error()}
}

// adviceFor says what to do about a status of the API.
func adviceFor(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "Go back, and correct the form."
	case http.StatusForbidden:
		return "Your token has no right to do this. Sign in with another token, or ask the person who made your token."
	case http.StatusNotFound:
		return "It may have been removed, or the name may be mistyped."
	case http.StatusConflict:
		return "Nothing was changed."
	case http.StatusPreconditionFailed:
		return "Somebody else has changed it since you opened the page. Nothing was changed. Open the page again, look, and repeat your change."
	case http.StatusTooManyRequests:
		return "Wait a little before you try again."
	case http.StatusServiceUnavailable, http.StatusInternalServerError:
		return "Nobody lost anything. Try again in a moment; if this goes on, read the log of the server."
	}
	return ""
}

// fail writes the page for an error. r is nil before the sign-in.
func (s *site) fail(w http.ResponseWriter, hr *http.Request, r *request, err error) {
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized {
		s.signedOut(w, hr, err)
		return
	}
	if p.Status == http.StatusInternalServerError {
		var refusal *adminclient.Error
		if !errors.As(err, &refusal) && !errors.Is(err, errDefect) { // the API and the recovery have logged theirs
			s.cfg.Logger.Error("console page failed", "method", hr.Method, "path", hr.URL.Path, "cause", err)
		}
	}
	v := view{Root: s.root, Title: titleOf(p.Status), Data: p}
	if r != nil && r.caller.ID != "" {
		v.Caller = &r.caller
	}
	if r != nil {
		v.User = r.session.Name
	}
	if s.render(w, p.Status, "problem", v) != nil {
		http.Error(w, p.Text, p.Status)
	}
}

// titleOf is the title of the page for a status.
func titleOf(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "The form cannot be used"
	case http.StatusForbidden:
		return "You may not do this"
	case http.StatusNotFound:
		return "There is no such thing"
	case http.StatusConflict:
		return "This is not possible now"
	case http.StatusPreconditionFailed:
		return "It was changed meanwhile"
	case http.StatusTooManyRequests:
		return "Too many attempts"
	case http.StatusServiceUnavailable:
		return "The server cannot do this now"
	case http.StatusInsufficientStorage:
		return "There is no space"
	}
	return "Something went wrong"
}
