package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

func TestCheck(t *testing.T) {
	f := (&fixture{}).start(t)
	ctx := t.Context()
	now := time.Now().Add(2 * time.Hour)
	cfg := task.CheckConfig{Now: func() time.Time { return now }, Rate: 1e6}
	f.checker = task.NewChecker(cfg, store.Single(f.engine), nil)
	t.Cleanup(f.checker.Close)
	c := f.start(t).unix(t)
	if check, err := c.Check(ctx); err != nil || check.State != "none" || check.Started != nil || check.Findings == nil {
		t.Errorf("at first: %+v, %v", check, err)
	}
	if check, err := c.StopCheck(ctx); err != nil || check.State != "none" {
		t.Errorf("nothing to stop: %+v, %v", check, err)
	}
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	account, err := c.AddAccount(ctx, "alice@example.org", "password")
	if err != nil {
		t.Fatal(err)
	}
	mailbox := mailboxID(t, account.Mailbox)
	ids := mail.NewIDSource(nil)
	dangling, unlisted := mail.Message{ID: ids.Next(), Size: 9, Recipient: "alice@example.org"}, ids.Next()
	other := mail.DeriveMailboxID(mail.Address{Local: "bob", Domain: "example.org"}, mail.MessageID{})
	if err := storetest.Put(ctx, f.engine, unlisted, []byte("text"), 4, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox, other}}); err != nil {
		t.Fatal(err)
	}
	listed := mail.Message{ID: unlisted, Size: 4, Recipient: "bob@example.org"}
	for _, err := range f.engine.AddMessages(ctx, []store.Entry{{Mailbox: mailbox, Message: dangling}, {Mailbox: other, Message: listed}}) {
		if err != nil {
			t.Fatal(err)
		}
	}

	run := func(o adminclient.CheckOptions) adminclient.Check {
		t.Helper()
		started, err := c.StartCheck(ctx, o)
		if err != nil || started.Started == nil {
			t.Fatalf("%+v: %+v, %v", o, started, err)
		}
		var check adminclient.Check
		mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
			if check, err = c.Check(ctx); err == nil && check.State == "running" {
				err = errors.New("it runs")
			}
			return err
		})
		if check.State != "done" || check.CheckOptions != o || check.Ended == nil || check.Error != "" || !check.Started.Equal(*started.Started) {
			t.Errorf("%+v: %+v", o, check)
		}
		return check
	}
	check := run(adminclient.CheckOptions{})
	want := "[{dangling 1 0 0} {unlisted 1 0 0}]"
	if fmt.Sprint(check.Counts) != want || check.Entries != 1 || check.Contents != 1 || check.Problems != 1 || check.Begun == nil {
		t.Errorf("%+v, want counts %s", check, want)
	}
	wantFinding := adminclient.CheckFinding{
		Kind: "dangling", Message: dangling.ID.String(), Mailbox: account.Mailbox, Address: "alice@example.org", Detail: "the content is missing",
	}
	if len(check.Findings) != 2 || check.Findings[0] != wantFinding {
		t.Errorf("findings: %+v", check.Findings)
	}
	check = run(adminclient.CheckOptions{Address: "alice@example.org", Rebuild: true})
	if fmt.Sprint(check.Counts) != "[{unlisted 1 1 0}]" || check.Problems != 0 {
		t.Errorf("rebuilding: %+v", check)
	}
	if m, err := f.engine.Message(ctx, mailbox, unlisted); err != nil || m.Recipient != "alice@example.org" {
		t.Errorf("after rebuilding: %+v, %v", m, err)
	}
	check = run(adminclient.CheckOptions{Repair: true, Deep: true, Force: true, Restart: true})
	if fmt.Sprint(check.Counts) != "[{dangling 1 1 0}]" || check.Octets != 4 || !check.Findings[0].Repaired {
		t.Errorf("a repair: %+v", check)
	}

	for what, o := range map[string]adminclient.CheckOptions{
		"bad address":              {Address: "alice"},
		"options do not go":        {Force: true},
		"rebuilding is for one":    {Rebuild: true},
		"bob@example.org: no such": {Address: "bob@example.org"},
	} {
		status := http.StatusBadRequest
		if strings.Contains(what, "no such") {
			status = http.StatusNotFound
		}
		_, err := c.StartCheck(ctx, o)
		wantStatus(t, what, err, status, what)
	}
	f.checker.Close()
	_, err = c.StartCheck(ctx, adminclient.CheckOptions{})
	wantStatus(t, "after the end", err, http.StatusServiceUnavailable, "the server is stopping")
}

// A check that cannot read everything fails, and only one check runs at a time.
func TestCheckFails(t *testing.T) {
	fault := &storetest.Fault{K: 5}
	f := (&fixture{}).start(t)
	ctx := t.Context()
	f.checker = task.NewChecker(task.CheckConfig{Retries: -1}, storetest.Faulty(store.Single(f.engine), fault), nil)
	t.Cleanup(f.checker.Close)
	c := f.start(t).unix(t)
	var check adminclient.Check
	for check.State != "failed" {
		if _, err := c.StartCheck(ctx, adminclient.CheckOptions{}); err != nil {
			t.Fatal(err)
		}
		mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
			if check, err = c.Check(ctx); err == nil && check.State == "running" {
				err = errors.New("it runs")
			}
			return err
		})
		if _, hit := fault.Hit(); hit && check.State != "failed" {
			t.Fatalf("after a fault: %+v", check)
		}
	}
	if !strings.HasPrefix(check.Error, "not every replica could be read") {
		t.Errorf("%+v", check)
	}

	slow := task.NewChecker(task.CheckConfig{}, storetest.WithUpkeep(store.Single(f.engine), blocked{f.engine}), nil)
	t.Cleanup(slow.Close)
	f.checker = slow
	c = f.start(t).unix(t)
	if _, err := c.StartCheck(ctx, adminclient.CheckOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err := c.StartCheck(ctx, adminclient.CheckOptions{})
	wantStatus(t, "a second check", err, http.StatusConflict, "a check is running")
	if check, err := c.StopCheck(ctx); err != nil || check.State != "stopped" || check.Error != "" {
		t.Errorf("after it was stopped: %+v, %v", check, err)
	}
}

// blocked never lists the contents of its store.
type blocked struct{ store.Upkeep }

func (b blocked) ListContents(ctx context.Context, _ string, _ int) ([]store.ContentRow, string, error) {
	<-ctx.Done()
	return nil, "", fmt.Errorf("%w: %w", store.ErrUnavailable, ctx.Err())
}
