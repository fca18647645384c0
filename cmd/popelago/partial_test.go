package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// While parts of a list cannot be read, the commands print the others, and end with the code of a temporary fault and the names of
// the parts.
func TestPartialLists(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		partial := r.URL.Query().Get("partial") == "true"
		switch {
		case !partial || strings.Contains(r.URL.Path, "/b.test/"):
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":503,"detail":"storage unavailable"}`)
		case r.URL.Path == "/v1/domains":
			fmt.Fprint(w, `{"domains":[{"name":"a.test"},{"name":"b.test"}],"unread":["a part of the domains"]}`)
		case r.URL.Query().Get("after") == "":
			fmt.Fprint(w, `{"accounts":[{"address":"ann@a.test","state":"enabled"}],"aliases":[],"groups":[],"quotas":[],"next":"ann","unread":["shard 1 of 128"]}`)
		default:
			fmt.Fprint(w, `{"accounts":[],"aliases":[],"groups":[],"quotas":[],"unread":["shard 5 of 128"]}`)
		}
	}))
	defer server.Close()
	const shards = "a.test: shard 1 of 128, a.test: shard 5 of 128"
	for command, want := range map[string]string{
		"account list --fields address,messages":      "a part of the domains, " + shards + ", b.test: storage unavailable",
		"account list a.test --fields address --json": shards,
		"alias list a.test":                           shards,
		"group list a.test":                           shards,
		"quota list a.test":                           shards,
		"domain list":                                 "a part of the domains",
	} {
		var out, errs bytes.Buffer
		root := newRootCommand()
		root.SetOut(&out)
		root.SetErr(&errs)
		code := run(root, append(strings.Fields(command), "--server", server.URL))
		if code != exitTemp || !strings.HasSuffix(strings.TrimSpace(errs.String()), "do not answer: "+want) {
			t.Errorf("%s: exit code %d, %s", command, code, errs.String())
		}
		if text := out.String(); strings.HasPrefix(command, "account") != strings.Contains(text, "ann@a.test") || strings.Contains(command, "messages") != strings.Contains(text, "unknown") {
			t.Errorf("%s prints %s", command, text)
		}
	}
	for _, command := range []string{"export a.test", "export --csv a.test"} {
		root := newRootCommand()
		root.SetOut(new(bytes.Buffer))
		root.SetErr(new(bytes.Buffer))
		if code := run(root, append(strings.Fields(command), "--server", server.URL)); code != exitTemp {
			t.Errorf("%s: exit code %d", command, code)
		}
	}
}
