package console

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
)

func TestSpanOf(t *testing.T) {
	for in, want := range map[string]string{
		"168h0m0s": "7 days", "24h0m0s": "24 hours", "36h0m0s": "36 hours", "1h0m0s": "1 hour", "15m0s": "15 minutes", "1m0s": "1 minute", "1m30s": "90 seconds",
		"1s": "1 second", "100ms": "100ms", "0s": "0s", "forever": "forever", "": "",
	} {
		if got := spanOf(in); got != want {
			t.Errorf("spanOf(%q) = %q, want %q", in, got, want)
		}
	}
}

// The form of the removed messages goes on with a restore of all messages whose time has run out, and names its begin.
func TestRestoreFormNamesTheBegin(t *testing.T) {
	pages, err := parsePages("admin")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 28, 10, 0, 0, 123456789, time.UTC)
	list := adminclient.RemovedList{Messages: []adminclient.RemovedMessage{{UniqueID: "x"}}}
	for _, restored := range []*adminclient.Restored{nil, {}, {More: true, Began: &began}} {
		var b strings.Builder
		page := map[string]any{"page": newRemovedPage(list, "alice@a.test", "", restored), "may": true}
		if err := pages["removed"].ExecuteTemplate(&b, "removed", page); err != nil {
			t.Fatal(err)
		}
		form := url.Values{"all": {"yes"}, "uniqueId": {"x"}}
		if _, field, ok := strings.Cut(b.String(), `name="began" value="`); ok {
			value, _, _ := strings.Cut(field, `"`)
			form.Set("began", html.UnescapeString(value))
		}
		order := restoreOrder(form)
		if want := restored != nil && restored.More; (order.Began != nil) != want || want && !order.Began.Equal(began) {
			t.Errorf("after %+v: %+v", restored, order)
		}
		form.Del("all")
		if order := restoreOrder(form); order.Began != nil || len(order.UniqueIDs) != 1 {
			t.Errorf("selected messages: %+v", order)
		}
	}
}
