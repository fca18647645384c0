package task

import (
	"context"
	"fmt"
	"io"

	"popelago/mail"
	"popelago/store"
)

// copyContent copies an opened content to a new content, which the caller ends with PutContent or
// Discard. Errors: those of package store; store.ErrCorrupt if the size of body differs from info.
func copyContent(ctx context.Context, st store.Contents, info store.ContentInfo, body io.Reader) (store.Content, error) {
	content, err := st.NewContent(ctx)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(content, body)
	if err == nil && n != info.Size {
		err = fmt.Errorf("%d octets instead of %d: %w", n, info.Size, store.ErrCorrupt)
	}
	if err != nil {
		content.Discard()
		return nil, err
	}
	return content, nil
}

// copyOf returns the row of a copy of m under a new id. The copy keeps the unique-id. info describes
// the content.
func copyOf(m mail.Message, id mail.MessageID, info store.ContentInfo) mail.Message {
	return mail.Message{
		ID: id, Recipient: m.Recipient, UIDL: m.UniqueID(),
		Size: info.Size + int64(len(mail.DeliveryHeader(info.ReversePath, m.Recipient))),
	}
}
