package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"popelago/adminclient"
	"popelago/mail"
)

// eventsMost is the number of events on a page.
const eventsMost = 100

// eventsPage is the data of the pages with events: the trace and the audit.
type eventsPage struct {
	adminclient.EventList
	// Section is the section of the settings, "trace" or "audit".
	Section string
	Subject string
	// As is the kind of the subject of a trace; empty: its form decides.
	As string
	// Failed: the page shows failed logins alone.
	Failed bool
	// Since and Until are the bounds as typed.
	Since, Until string
	// Asked: the page has the answer of the API.
	Asked bool
	// Problem is the reason for which the search cannot be used; empty: none.
	Problem string
	// Rows are the events with their descriptions.
	Rows   []eventRow
	Paging paging
}

// eventRow is an event on a page.
type eventRow struct {
	adminclient.Event
	Details []adminclient.Fact
	Changes []change
}

// change is a field of the subject that a change has made, changed or taken away.
type change struct {
	Name          string
	Before, After string
	// Had and Has report whether the field was there before, and is there after the change.
	Had, Has bool
}

func (c *console) addEvents(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"trace", c.page(c.showTrace))
	mux.HandleFunc("GET "+Root+"audit", c.page(c.showAudit))
}

// showTrace shows the events of a message or of the mail of an account; without a subject the form alone.
func (c *console) showTrace(r *request) error {
	if !(view{Caller: &r.caller}).May("operator") { // the form alone asks nothing
		return &adminclient.Error{Status: http.StatusForbidden, Detail: "the trace needs the role operator"}
	}
	form := r.URL.Query()
	page := eventsPage{Section: "trace", Subject: strings.TrimSpace(form.Get("subject")), As: form.Get("as")}
	if page.Subject == "" {
		return c.show(r, "trace", "Trace", "trace", page)
	}
	return c.showEvents(r, page, r.api.Trace)
}

// showAudit shows the events of an account or a domain; without a subject all administrative actions.
func (c *console) showAudit(r *request) error {
	form := r.URL.Query()
	return c.showEvents(r, eventsPage{Section: "audit", Subject: strings.TrimSpace(form.Get("subject")), Failed: form.Get("failed") != ""}, r.api.Audit)
}

// eventSource asks the API for events.
type eventSource = func(context.Context, adminclient.EventQuery) (adminclient.EventList, error)

// showEvents asks for the events of a page. A search that cannot be used leads to the form again.
func (c *console) showEvents(r *request, page eventsPage, ask eventSource) error {
	form := r.URL.Query()
	page.Since, page.Until = strings.TrimSpace(form.Get("since")), strings.TrimSpace(form.Get("until"))
	q := adminclient.EventQuery{Subject: page.Subject, As: page.As, FailedLogins: page.Failed, Limit: eventsMost, Before: form.Get("before")}
	var err error
	if q.Since, err = c.momentIn(page.Since); err == nil {
		q.Until, err = c.momentIn(page.Until)
	}
	if err == nil {
		page.EventList, err = ask(r.Context(), q)
	}
	status := http.StatusOK
	switch code := statusOf(err); {
	case errors.Is(err, errMoment):
		status, page.Problem = http.StatusBadRequest, err.Error()
	case code == http.StatusBadRequest || code == http.StatusUnprocessableEntity:
		status, page.Problem = code, problemOf(err).Text
	case err != nil:
		return err
	}
	page.Asked = err == nil
	for _, e := range page.Events {
		page.Rows = append(page.Rows, eventRow{e, detailsOf(e), changesOf(e.Before, e.After)})
	}
	page.Paging = pagingBy("before", page.Section, form, page.Next)
	title := map[string]string{"trace": "Trace", "audit": "Audit"}[page.Section]
	return c.showWith(r, status, page.Section, title, page.Section, page)
}

// errMoment: a text names no time.
var errMoment = errors.New("not a time")

// momentIn returns the moment that a text names: an age such as 2h or 3d, or a time in UTC. The zero time
// stands for an empty text. Errors: errMoment.
func (c *console) momentIn(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if age, err := mail.ParseRetention(text); err == nil && age.Ends() {
		return c.cfg.Now().Add(-time.Duration(age)), nil
	}
	return time.Time{}, fmt.Errorf("%w: %q is neither an age such as 2h or 3d nor a time such as 2026-11-26 10:00", errMoment, text)
}

// detailsOf lists the facts of an event that have no column of their own.
func detailsOf(e adminclient.Event) []adminclient.Fact {
	all := e.Facts()
	for i := range all {
		if all[i].Name == "message-id" {
			all[i].Name = "Message-ID" // as the form of the page calls it
		}
	}
	return all
}

// changesOf lists the fields that differ between two descriptions of a subject. A description that is no
// JSON object is a field without a name.
func changesOf(before, after string) []change {
	had, has := fieldsOf(before), fieldsOf(after)
	all := maps.Clone(had)
	maps.Copy(all, has)
	var changes []change
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := change{Name: name}
		c.Before, c.Had = had[name]
		c.After, c.Has = has[name]
		if c.Before != c.After || c.Had != c.Has {
			changes = append(changes, c)
		}
	}
	return changes
}

// fieldsOf returns the values of a JSON object as texts, by name. Objects inside have names with a dot.
func fieldsOf(text string) map[string]string {
	fields := map[string]string{}
	if text == "" {
		return fields
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil { // a plain text, or a cut one
		fields[""] = text
		return fields
	}
	addFields(fields, "", object)
	return fields
}

func addFields(fields map[string]string, prefix string, object map[string]any) {
	for name, value := range object {
		switch v := value.(type) {
		case map[string]any:
			addFields(fields, prefix+name+".", v)
		case string:
			fields[prefix+name] = v
		default:
			text, err := json.Marshal(v)
			if err != nil {
				text = []byte(fmt.Sprint(v))
			}
			fields[prefix+name] = string(text)
		}
	}
}
