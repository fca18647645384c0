package task

import (
	"context"
	"fmt"
	"io"

	"popelago/mail"
	"popelago/store"
)

// copyContent writes a content that was opened to a new place, which the caller must end with
// PutContent or Discard. Errors: those of package store; store.ErrCorrupt if body has not the size
// that info tells.
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

// copyOf is the row of a copy of m under a new id. The copy keeps the unique-id; info is of the
// content.
func copyOf(m mail.Message, id mail.MessageID, info store.ContentInfo) mail.Message {
	return mail.Message{
		ID: id, Recipient: m.Recipient, UIDL: m.UniqueID(),
		Size: info.Size + int64(len(mail.DeliveryHeader(info.ReversePath, m.Recipient))),
	}
}
