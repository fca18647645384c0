package admin

import (
	"context"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
)

// Limits of a header that is shown.
const (
	maxFields    = 1000
	maxFieldText = 2000 // characters of one text
)

// header reads the header of message n. All texts come from a stranger: header replaces characters that
// cannot be seen, and bounds the length.
func (m *openedMaildrop) header(ctx context.Context, n int) (out adminclient.MessageHeader, err error) {
	if out.MaildropMessage, err = m.describe(n); err != nil {
		return out, err
	}
	fields, whole, err := m.Header(ctx, n)
	if err != nil {
		return out, err
	}
	if out.Whole = whole; len(fields) > maxFields {
		fields, out.Whole = fields[:maxFields], false
	}
	out.Fields = make([]adminclient.HeaderField, len(fields))
	show := func(text string) string {
		shown, all := visible(text)
		out.Whole = out.Whole && all
		return shown
	}
	out.Sender, out.Subject = show(decoded(fields, "From")), show(decoded(fields, "Subject"))
	for i, f := range fields {
		out.Fields[i] = adminclient.HeaderField{Name: show(f.Name), Body: show(f.Body)}
	}
	return out, nil
}

// decoded returns the body of the first field with a name, with encoded words decoded (RFC 2047) where
// the character set is known.
func decoded(fields []maildrop.Field, name string) string {
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if text, err := new(mime.WordDecoder).DecodeHeader(f.Body); err == nil {
			return text
		}
		return f.Body
	}
	return ""
}

// visible returns a text without characters that cannot be seen, cut to maxFieldText characters, and
// reports whether all of the text is there.
func visible(text string) (shown string, all bool) {
	shown = mail.Printable(strings.ReplaceAll(text, "\t", " "))
	if utf8.RuneCountInString(shown) <= maxFieldText {
		return shown, true
	}
	return string([]rune(shown)[:maxFieldText]), false
}

// verify reads message n to its end. Only a message that cannot be judged now is an error.
func (a *api) verify(ctx context.Context, m *openedMaildrop, n int) (out adminclient.VerifiedMessage, err error) {
	if out.MaildropMessage, err = m.describe(n); err != nil {
		return out, err
	}
	out.Read, out.Rows, err = m.Verify(ctx, n)
	switch {
	case err == nil:
		out.State = adminclient.MessageSound
	case errors.Is(err, store.ErrCorrupt):
		out.State = adminclient.MessageDamaged
	case errors.Is(err, maildrop.ErrNoContent):
		out.State = adminclient.MessageMissing
	default:
		return out, err
	}
	if err != nil {
		a.logger.Warn("a message is not sound", "address", m.account.Address.String(), "mailbox", m.account.Mailbox.String(), "message", out.ID, "cause", err)
	}
	return out, nil
}
