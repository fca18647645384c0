package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
)

// Removed messages are listed and restored through the API.
func TestUndelete(t *testing.T) {
	a := withAlice(t, &fixture{}, "a: 1\n\none\n", "a: 2\n\ntwo\n")
	ctx := t.Context()
	begin := time.Now().Add(-time.Minute)
	before := a.list(t, adminclient.MaildropFilter{})
	if _, err := a.RemoveMessages(ctx, aliceAddress, adminclient.MaildropRemoval{All: true}); err != nil {
		t.Fatal(err)
	}
	list, err := a.RemovedMessages(ctx, aliceAddress, time.Time{}, "", 0)
	if err != nil || len(list.Messages) != 2 || list.Next != "" || list.Partial || list.Window != "1h0m0s" {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, m := range list.Messages {
		i := 0
		if m.UniqueID == before[1].UniqueID {
			i = 1
		}
		if w := before[i]; m.UniqueID != w.UniqueID || m.ID != w.ID || m.Octets != w.Octets || !m.Arrived.Equal(w.Arrived) || m.Removed.Before(begin) || m.Recipient != aliceAddress {
			t.Errorf("%+v, want %+v", m, w)
		}
	}
	if list, err := a.RemovedMessages(ctx, aliceAddress, time.Now().Add(time.Hour), "", 0); err != nil || len(list.Messages) != 0 {
		t.Errorf("since a moment ahead: %+v, %v", list, err)
	}
	page, err := a.RemovedMessages(ctx, aliceAddress, begin, "", 1)
	if err != nil || len(page.Messages) != 1 || page.Next != page.Messages[0].UniqueID {
		t.Errorf("one at most: %+v, %v", page, err)
	}
	if rest, err := a.RemovedMessages(ctx, aliceAddress, begin, page.Next, 1); err != nil || len(rest.Messages) != 1 || rest.Next != "" || rest.Messages[0].UniqueID == page.Next {
		t.Errorf("the next page: %+v, %v", rest, err)
	}
	one := adminclient.RestoreRequest{UniqueIDs: []string{before[0].UniqueID, "nowhere"}}
	r, err := a.Restore(ctx, aliceAddress, one)
	if err != nil || r.Messages != 1 || r.Octets != before[0].Octets || len(r.Missing) != 1 || len(r.There) != 0 {
		t.Errorf("one: %+v, %v", r, err)
	}
	if r, err := a.Restore(ctx, aliceAddress, one); err != nil || r.Messages != 0 || len(r.There) != 1 {
		t.Errorf("again: %+v, %v", r, err)
	}
	if r, err := a.Restore(ctx, aliceAddress, adminclient.RestoreRequest{Since: &begin}); err != nil || r.Messages != 1 {
		t.Errorf("since: %+v, %v", r, err)
	}
	after := a.list(t, adminclient.MaildropFilter{})
	if len(after) != 2 || after[0].UniqueID != before[0].UniqueID || after[1].Octets != before[1].Octets || after[0].ID == before[0].ID {
		t.Errorf("restored %+v, before %+v", after, before)
	}
	for name, bad := range map[string]adminclient.RestoreRequest{"nothing": {}, "two": {All: true, UniqueIDs: []string{"x"}}} {
		_, err := a.Restore(ctx, aliceAddress, bad)
		wantStatus(t, name, err, http.StatusBadRequest, "name unique-ids")
	}
	_, err = a.Restore(ctx, "bob@example.org", adminclient.RestoreRequest{All: true})
	wantStatus(t, "no account", err, http.StatusNotFound, "no such account")
	if line := "operation=restore-messages by=socket address=" + aliceAddress + " mailbox=" + a.box.String() + " messages=1 octets="; !strings.Contains(a.log.String(), line) {
		t.Errorf("no log line with %s", line)
	}
}
