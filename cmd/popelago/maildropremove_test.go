package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"popelago/adminclient"
	"popelago/mail"
)

// A removal in several requests removes no message that has arrived since its beginning.
func TestRemovalGoesOnWithoutNewMessages(t *testing.T) {
	for name, first := range map[string]adminclient.MaildropRemoval{
		"all":      {All: true},
		"a filter": {Filter: &adminclient.MaildropFilter{MinOctets: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []adminclient.MaildropRemoval
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var request adminclient.MaildropRemoval
				if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
					t.Error(err)
				}
				got = append(got, request)
				w.Header().Set("Content-Type", "application/json")
				if err := json.NewEncoder(w).Encode(adminclient.MaildropRemoved{Messages: 1, Missing: []string{}, More: len(got) < 3}); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			c, err := adminclient.HTTP(server.URL, "token")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			cmd := &cobra.Command{}
			cmd.SetContext(t.Context())
			cmd.SetOut(t.Output())
			if err := removeAll(cmd, &remoteFlags{}, c, "alice@example.test", []adminclient.MaildropRemoval{first}, false); err != nil {
				t.Fatal(err)
			}
			if len(got) != 3 || got[0].All != first.All || (got[0].Filter == nil) != (first.Filter == nil) {
				t.Fatalf("%d requests: %+v", len(got), got)
			}
			for _, r := range got[1:] {
				if r.All || r.Filter == nil || first.Filter != nil && r.Filter.MinOctets != first.Filter.MinOctets {
					t.Fatalf("a further request: %+v", r)
				}
				if age, err := mail.ParseRetention(r.Filter.OlderThan); err != nil || time.Duration(age) > time.Hour {
					t.Errorf("messages older than %q: %v", r.Filter.OlderThan, err)
				}
			}
		})
	}
}
