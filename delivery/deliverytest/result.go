package deliverytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/delivery"
	"popelago/mail"
	"popelago/store"
)

// Sample is a text.
const Sample = "Subject: x\r\n\r\nsample\r\n"

// Finish delivers a text, in two pieces.
func Finish(t testing.TB, d *delivery.Deliverer, e mail.Envelope, text string) delivery.Result {
	t.Helper()
	in, err := d.Begin(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if _, err := in.ReadFrom(strings.NewReader(piece)); err != nil {
			t.Fatal(err)
		}
	}
	return in.Finish(context.Background())
}

// Want checks the result of a delivery: "ok", "unknown" or "unavailable" for each recipient.
func Want(t testing.TB, res delivery.Result, results ...string) {
	t.Helper()
	var got []string
	for _, err := range res.Errors {
		switch {
		case err == nil:
			got = append(got, "ok")
		case errors.Is(err, store.ErrOutcomeUnknown):
			got = append(got, "unknown")
		case errors.Is(err, store.ErrUnavailable):
			got = append(got, "unavailable")
		default:
			got = append(got, err.Error())
		}
	}
	if !slices.Equal(got, results) {
		t.Fatalf("recipients: %v, want %v (%v)", got, results, res.Errors)
	}
}

// WantRepeated checks whether a delivery was recognized as a repetition.
func WantRepeated(t testing.TB, res delivery.Result, repeated bool) {
	t.Helper()
	if res.Repeated != repeated {
		t.Fatalf("recognized as repeated: %v, want %v", res.Repeated, repeated)
	}
}

// WantAnew checks that a repetition of first was recognized, and stored under another id.
func WantAnew(t testing.TB, res, first delivery.Result) {
	t.Helper()
	if !res.Repeated || res.ID == first.ID {
		t.Errorf("recognized as repeated: %v, id %s, first %s; %+v", res.Repeated, res.ID, first.ID, res)
	}
}

// AddAs writes rows to st as add says for the local-part of each recipient: by "", stored;
// "unavailable", not; "unknown", stored without saying so; "lost", not stored and not saying so.
func AddAs(ctx context.Context, st store.Mailboxes, add map[string]string, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	for i, e := range entries {
		local, _, _ := strings.Cut(e.Message.Recipient, "@")
		switch add[strings.ToLower(local)] {
		case "":
			errs[i] = st.AddMessages(ctx, entries[i:i+1])[0]
		case "unavailable":
			errs[i] = store.ErrUnavailable
		case "unknown":
			st.AddMessages(ctx, entries[i:i+1])
			errs[i] = store.ErrOutcomeUnknown
		case "lost":
			errs[i] = store.ErrOutcomeUnknown
		}
	}
	return errs
}
