package admin_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/store/storetest"
)

// alice is a client of an API whose account alice@example.org has messages.
type alice struct {
	*adminclient.Client
	*fixture
	texts []string
	box   mail.MailboxID
}

const aliceAddress = "alice@example.org"

func withAlice(t *testing.T, f *fixture, texts ...string) *alice {
	t.Helper()
	f.start(t)
	a := &alice{Client: f.unix(t), fixture: f, texts: texts}
	ctx := t.Context()
	if _, err := a.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	acc, err := a.AddAccount(ctx, aliceAddress, "password")
	if err != nil {
		t.Fatal(err)
	}
	if a.box, err = mail.ParseMailboxID(acc.Mailbox); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if _, err := a.PutMessage(ctx, aliceAddress, "sender@example.net", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// drop opens the maildrop as a session does.
func (a *alice) drop(t *testing.T) *maildrop.Maildrop {
	t.Helper()
	m, err := maildrop.Open(t.Context(), store.Single(a.engine).Mail, a.box, maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// list lists the whole maildrop through the API, in pages of two.
func (a *alice) list(t *testing.T, f adminclient.MaildropFilter) (all []adminclient.MaildropMessage) {
	t.Helper()
	return a.ordered(t, adminclient.MaildropQuery{MaildropFilter: f})
}

// ordered is list with an order.
func (a *alice) ordered(t *testing.T, q adminclient.MaildropQuery) (all []adminclient.MaildropMessage) {
	t.Helper()
	for after := ""; ; {
		page, err := a.Maildrop(t.Context(), aliceAddress, q, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, page.Messages...); page.Next == "" {
			return all
		}
		after = page.Next
	}
}

// The list, and the octets fetched, are those of a POP3 session.
func TestMaildropListAndFetch(t *testing.T) {
	large := "Subject: large\n\n" + strings.Repeat("0123456789012345678901234567890123456789\n.dot\n", 20_000)
	a := withAlice(t, &fixture{}, "Subject: one\n\none\n", large, "Subject: three\r\n\r\nthree\r\n")
	list, drop := a.list(t, adminclient.MaildropFilter{}), a.drop(t)
	if len(list) != 3 || drop.Len() != 3 {
		t.Fatalf("%d messages listed, %d in the maildrop", len(list), drop.Len())
	}
	for i, m := range list {
		want, err := drop.Entry(i + 1)
		if err != nil || m.Number != i+1 || m.UniqueID != string(want.UIDL) || m.Octets != want.Size || m.Recipient != aliceAddress || m.Arrived.IsZero() {
			t.Errorf("message %d: %+v, %v; want %+v", i+1, m, err, want)
		}
		r, err := drop.Read(t.Context(), i+1)
		if err != nil {
			t.Fatal(err)
		}
		octets, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		var fetched bytes.Buffer
		n, err := a.FetchMessage(t.Context(), aliceAddress, m.UniqueID, &fetched)
		if err != nil || n != m.Octets || !bytes.Equal(fetched.Bytes(), octets) {
			t.Errorf("message %d: %d octets fetched, %v; want the %d octets of RETR", i+1, n, err, len(octets))
		}
		v, err := a.VerifyMessage(t.Context(), aliceAddress, m.UniqueID)
		if err != nil || v.State != adminclient.MessageSound || v.Read != m.Octets || v.Rows != 1 {
			t.Errorf("message %d: %+v, %v", i+1, v, err)
		}
		if line := fmt.Sprintf("operation=fetch-message by=socket address=%s mailbox=%s message=%s uniqueId=%s octets=%d", aliceAddress, a.box, m.ID, m.UniqueID, m.Octets); !strings.Contains(a.log.String(), line) {
			t.Errorf("no log line with %s:\n%s", line, a.log)
		}
	}
	for name, want := range map[adminclient.MaildropFilter]int{
		{MinOctets: 10_000}: 1, {MaxOctets: 10_000}: 2, {OlderThan: "1h"}: 0, {NewerThan: "1h"}: 3, {NewerThan: "1d", MaxOctets: 1}: 0,
	} {
		if got := len(a.list(t, name)); got != want {
			t.Errorf("filter %+v: %d messages, want %d", name, got, want)
		}
	}
	newest := a.ordered(t, adminclient.MaildropQuery{NewestFirst: true})
	if slices.Reverse(newest); !slices.Equal(newest, list) {
		t.Errorf("the newest first, and reversed: %+v, want %+v", newest, list)
	}
	_, err := a.Maildrop(t.Context(), aliceAddress, adminclient.MaildropQuery{MaildropFilter: adminclient.MaildropFilter{OlderThan: "forever"}}, "", 0)
	wantStatus(t, "no age", err, http.StatusBadRequest, "is not an age")
	_, err = a.Maildrop(t.Context(), "bob@example.org", adminclient.MaildropQuery{}, "", 0)
	wantStatus(t, "no account", err, http.StatusNotFound, "no such account")
	_, err = a.FetchMessage(t.Context(), aliceAddress, "not/there?%2F", io.Discard)
	wantStatus(t, "no message", err, http.StatusNotFound, `no such message: "not/there?%2F"`)
}

// Texts of senders are shown bounded, decoded and without invisible characters.
func TestMessageHeader(t *testing.T) {
	a := withAlice(t, &fixture{}, "From: =?utf-8?q?<b>M=C3=BCller=E2=80=AE?= <m@example.net>\r\nSubject: a\r\n\t<script>alert(1)</script> =?x-odd?q?=41?=\r\nX-Bell: a\x07b\r\n\r\nbody\r\n",
		"Subject: "+strings.Repeat("x", 5000)+"\r\nX-Long: "+strings.Repeat("y\r\n ", 50_000)+"\r\n\r\nbody\r\n")
	list := a.list(t, adminclient.MaildropFilter{})
	h, err := a.MessageHeader(t.Context(), aliceAddress, list[0].UniqueID)
	if err != nil || h.Sender != "<b>Müller?  <m@example.net>" && h.Sender != "<b>Müller? <m@example.net>" || !h.Whole {
		t.Errorf("%+v, %v", h, err)
	}
	if want := "a <script>alert(1)</script> =?x-odd?q?=41?="; h.Subject != want {
		t.Errorf("subject %q, want %q", h.Subject, want)
	}
	names := ""
	for _, f := range h.Fields {
		names += f.Name + " "
		if f.Name == "X-Bell" && f.Body != "a?b" {
			t.Errorf("field %+v", f)
		}
	}
	if want := "Return-Path Delivered-To Received From Subject X-Bell "; names != want {
		t.Errorf("fields %s, want %s", names, want)
	}
	h, err = a.MessageHeader(t.Context(), aliceAddress, list[1].UniqueID)
	if err != nil || h.Whole || len(h.Subject) != 2000 {
		t.Errorf("a long header: whole %v, %d characters, %v", h.Whole, len(h.Subject), err)
	}
}

func TestRemoveMessages(t *testing.T) {
	a := withAlice(t, &fixture{}, "a: 1\n\none\n", "a: 2\n\ntwo\n", "a: 3\n\n"+strings.Repeat("three\n", 1000), "a: 4\n\nfour\n")
	ctx := t.Context()
	list := a.list(t, adminclient.MaildropFilter{})
	remove := func(r adminclient.MaildropRemoval) adminclient.MaildropRemoved {
		t.Helper()
		removed, err := a.RemoveMessages(ctx, aliceAddress, r)
		if err != nil {
			t.Fatal(err)
		}
		return removed
	}
	byID := adminclient.MaildropRemoval{UniqueIDs: []string{list[0].UniqueID, "nowhere", list[0].UniqueID}, DryRun: true}
	for _, dry := range []bool{true, false} {
		byID.DryRun = dry
		if r := remove(byID); r.Messages != 1 || r.Octets != list[0].Octets || len(r.Missing) != 1 || r.Missing[0] != "nowhere" {
			t.Errorf("by unique-id, dry run %v: %+v", dry, r)
		}
	}
	if r := remove(byID); r.Messages != 0 || len(r.Missing) != 3 {
		t.Errorf("again: %+v", r)
	}
	large := adminclient.MaildropRemoval{Filter: &adminclient.MaildropFilter{MinOctets: 2000}, DryRun: true}
	if r := remove(large); r.Messages != 1 || r.Octets != list[2].Octets {
		t.Errorf("large, dry run: %+v", r)
	}
	if left := a.list(t, adminclient.MaildropFilter{}); len(left) != 3 {
		t.Errorf("%d messages after a dry run, want 3", len(left))
	}
	large.DryRun = false
	if r := remove(large); r.Messages != 1 {
		t.Errorf("large: %+v", r)
	}
	if r := remove(adminclient.MaildropRemoval{All: true}); r.Messages != 2 || r.More {
		t.Errorf("all: %+v", r)
	}
	if left := a.list(t, adminclient.MaildropFilter{}); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	for name, r := range map[string]adminclient.MaildropRemoval{
		"nothing": {}, "an empty filter": {Filter: &adminclient.MaildropFilter{}}, "two": {All: true, UniqueIDs: []string{"x"}},
	} {
		_, err := a.RemoveMessages(ctx, aliceAddress, r)
		wantStatus(t, name, err, http.StatusBadRequest, "name unique-ids")
	}
}

func TestPutMessage(t *testing.T) {
	a := withAlice(t, &fixture{})
	ctx := t.Context()
	put, err := a.PutMessage(ctx, "ALICE@example.org", "", strings.NewReader("Subject: x\n\n.body\nno end"))
	if err != nil || put.UniqueID == "" || put.Octets != 27 {
		t.Fatalf("%+v, %v", put, err)
	}
	var text bytes.Buffer
	if _, err := a.FetchMessage(ctx, aliceAddress, put.UniqueID, &text); err != nil {
		t.Fatal(err)
	}
	const begin = "Return-Path: <>\r\nDelivered-To: ALICE@example.org\r\nReceived: from administration\r\n\tby localhost with HTTP\r\n\tfor <ALICE@example.org>; "
	if s := text.String(); !strings.HasPrefix(s, begin) || !strings.HasSuffix(s, "\r\nSubject: x\r\n\r\n.body\r\nno end\r\n") {
		t.Errorf("stored: %q", s)
	}
	_, err = a.PutMessage(ctx, aliceAddress, "", strings.NewReader("a: b\r\n\r\nbare\rreturn\r\n"))
	wantStatus(t, "a bare CR", err, http.StatusUnprocessableEntity, "bare CR")
	_, err = a.PutMessage(ctx, "bob@example.org", "", strings.NewReader("x"))
	wantStatus(t, "no account", err, http.StatusNotFound, "no such account")
	_, err = a.PutMessage(ctx, aliceAddress, "not an address", strings.NewReader("x"))
	wantStatus(t, "a bad sender", err, http.StatusBadRequest, "bad address")
	_, err = a.PutMessage(ctx, aliceAddress, "", io.MultiReader(strings.NewReader("a: b\r\n\r\nbegin"), broken{}))
	if err == nil {
		t.Error("a text that breaks off was stored")
	}
	if err := a.SetState(ctx, aliceAddress, adminclient.Disabled); err != nil {
		t.Fatal(err)
	}
	_, err = a.PutMessage(ctx, aliceAddress, "", strings.NewReader("x"))
	wantStatus(t, "a disabled account", err, http.StatusConflict, "disabled")
	if list := a.list(t, adminclient.MaildropFilter{}); len(list) != 1 {
		t.Errorf("%d messages, want the one that was stored", len(list))
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

// damaged is a store whose contents cannot be read to their end.
type damaged struct {
	store.Mail
	err error
}

func (d *damaged) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	info, r, err := d.Mail.OpenContent(ctx, id, origin)
	if err != nil || d.err == nil {
		return info, r, err
	}
	if errors.Is(d.err, store.ErrNotFound) {
		r.Close()
		return info, nil, d.err
	}
	return info, &cutReader{Reader: io.LimitReader(r, 40_000), closer: r, err: d.err}, nil
}

// cutReader ends with an error.
type cutReader struct {
	io.Reader
	closer io.Closer
	err    error
}

func (r *cutReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = r.err
	}
	return n, err
}

func (r *cutReader) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, r.Reader)
	return n, errors.Join(err, r.err)
}

func (r *cutReader) Close() error { return r.closer.Close() }

// A message that cannot be read to its end is never taken for whole, by no one.
func TestDamagedMessage(t *testing.T) {
	d := &damaged{}
	f := &fixture{wrap: func(engine store.Store) store.Store {
		d.Mail = engine.Mail.Local
		return storetest.WithMail(engine, d)
	}}
	a := withAlice(t, f, "Subject: x\n\n"+strings.Repeat("0123456789\n", 10_000))
	m := a.list(t, adminclient.MaildropFilter{})[0]
	for _, test := range []struct {
		err   error
		state string
	}{{store.ErrCorrupt, adminclient.MessageDamaged}, {store.ErrNotFound, adminclient.MessageMissing}} {
		d.err = test.err
		if v, err := a.VerifyMessage(t.Context(), aliceAddress, m.UniqueID); err != nil || v.State != test.state {
			t.Errorf("%v: %+v, %v; want %s", test.err, v, err, test.state)
		}
		if n, err := a.FetchMessage(t.Context(), aliceAddress, m.UniqueID, io.Discard); err == nil || n >= m.Octets {
			t.Errorf("%v: %d octets fetched, %v", test.err, n, err)
		}
	}
	d.err = store.ErrUnavailable
	_, err := a.VerifyMessage(t.Context(), aliceAddress, m.UniqueID)
	wantStatus(t, "storage away", err, http.StatusServiceUnavailable, "storage unavailable")
}
