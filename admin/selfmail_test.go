package admin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"popelago/adminclient"
)

// A user reaches the own account alone, with the password alone: no token opens these operations, not
// even a token with all rights, and the socket does not either.
func TestOwnAccountAlone(t *testing.T) {
	f := (&fixture{token: "configured-secret", process: serverNamed("a"), insecure: true}).start(t)
	url := f.serve(t)
	root := client(t, url, "configured-secret")
	addBounded(t, root)
	for method, paths := range map[string][]string{
		http.MethodGet:  {"/v1/self/sessions", "/v1/self/removed"},
		http.MethodPut:  {"/v1/self/password"},
		http.MethodPost: {"/v1/self/sessions/disconnect", "/v1/self/restore"},
	} {
		for _, path := range paths {
			if w := f.self(method, path, local, "alice@example.test", "wrong", `{}`); w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s with a wrong password: %d %s", method, path, w.Code, w.Body)
			}
			r := httptest.NewRequest(method, path, strings.NewReader(`{}`))
			r.Header.Set("Authorization", "Bearer configured-secret")
			w := httptest.NewRecorder()
			if f.handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s with a token: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
	alice := client(t, url, "").AsUser("alice@example.test", "secret word")
	list, err := alice.OwnSessions(t.Context())
	if err != nil || len(list.Sessions) != 0 {
		t.Errorf("sessions of others: %+v, %v", list, err)
	}
	if ended, err := alice.EndOwnSessions(t.Context(), adminclient.OwnSessionEnd{All: true}); err != nil || ended.Ended != 0 {
		t.Errorf("ended sessions of others: %+v, %v", ended, err)
	}
	_, err = alice.EndOwnSessions(t.Context(), adminclient.OwnSessionEnd{})
	wantStatus(t, "end nothing", err, http.StatusBadRequest, "name a session")
	wantStatus(t, "a short password", alice.SetOwnPassword(t.Context(), "x"), http.StatusBadRequest, "password")
	if err := alice.SetOwnPassword(t.Context(), "another word"); err != nil {
		t.Error(err)
	}
	_, err = alice.OwnRemovedMessages(t.Context(), "", 0)
	wantStatus(t, "with the old password", err, http.StatusUnauthorized, "")
	_, err = alice.AsUser("alice@example.test", "another word").RestoreOwn(t.Context(), adminclient.RestoreRequest{})
	wantStatus(t, "restore nothing", err, http.StatusBadRequest, "name unique-ids")
	if strings.Contains(f.log.String(), "another word") {
		t.Error("the log has a password")
	}
}

// A login that was remembered belongs to the mailbox of its account: a new owner of the address keeps the
// own mail to itself.
func TestOwnAccountOfANewOwner(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	root := client(t, url, "configured-secret")
	addBounded(t, root)
	old := client(t, url, "").AsUser("alice@example.test", "secret word")
	if _, err := old.OwnRemovedMessages(t.Context(), "", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := root.RemoveAccount(t.Context(), "alice@example.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := root.AddAccount(t.Context(), "alice@example.test", "another word"); err != nil {
		t.Fatal(err)
	}
	put, err := root.PutMessage(t.Context(), "alice@example.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.RemoveMessages(t.Context(), "alice@example.test", adminclient.MaildropRemoval{All: true}); err != nil {
		t.Fatal(err)
	}
	_, err = old.OwnRemovedMessages(t.Context(), "", 0)
	wantStatus(t, "the old owner", err, http.StatusUnauthorized, "")
	list, err := old.AsUser("alice@example.test", "another word").OwnRemovedMessages(t.Context(), "", 0)
	if err != nil || len(list.Messages) != 1 || list.Messages[0].UniqueID != put.UniqueID {
		t.Errorf("the new owner: %+v, %v", list, err)
	}
}
