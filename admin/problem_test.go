package admin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// Every error of every operation is a problem of RFC 9457, and no request of a client is a fault of the
// server.
func TestErrorsAreProblems(t *testing.T) {
	f := (&fixture{token: "secret"}).start(t)
	do := func(method, target, token, body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		f.handler.ServeHTTP(w, r)
		return w
	}
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(do(http.MethodGet, "/openapi.json", "secret", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	doc.Paths["/"], doc.Paths["/v1"], doc.Paths["/v1/nothing"], doc.Paths["/openapi.json"] = nil, nil, nil, nil
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	statuses := map[int]int{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		names := []string{"none@none.test", "%00", "%FF", "none.test", strings.Repeat("x", 2000)}
		if !parameter.MatchString(path) {
			names = names[:1] // every name makes the same request
		}
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			for _, name := range names {
				for _, rest := range []string{"", "?unknown=1", "?limit=0&uniqueId=x&after=%00"} {
					for i, body := range []string{"", "{", "[]", `{"unknown":1}`, "\xff", `{"address":"none@none.test","to":"x","name":"@","password":""}`} {
						for _, token := range []string{"secret", []string{"wrong", ""}[i%2]} {
							target := parameter.ReplaceAllString(path, name) + rest
							what := fmt.Sprintf("%s %.100s %q, token %q", method, target, body, token)
							w := do(method, target, token, body)
							statuses[w.Code]++
							if w.Code < 400 {
								continue
							}
							var p huma.ErrorModel
							err := json.Unmarshal(w.Body.Bytes(), &p)
							if err != nil || w.Header().Get("Content-Type") != "application/problem+json" || p.Status != w.Code || p.Title == "" || p.Detail == "" {
								t.Errorf("%s: %d %s %.200s, %v", what, w.Code, w.Header().Get("Content-Type"), w.Body, err)
							}
							if w.Code == http.StatusInternalServerError {
								t.Errorf("%s: %d %s", what, w.Code, w.Body)
							}
							if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") == "" {
								t.Errorf("%s: no Allow", what)
							}
						}
					}
				}
			}
			if t.Failed() {
				return
			}
		}
	}
	for _, status := range []int{200, 400, 401, 404, 405, 422} {
		if statuses[status] == 0 {
			t.Errorf("no answer with status %d: %v", status, statuses)
		}
	}
}
