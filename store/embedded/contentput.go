package embedded

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// PutContent implements store.Contents. The row waits in memory (see pending) until
// AddMessages writes it with the first row that needs it.
func (c *contents) PutContent(ctx context.Context, id mail.MessageID, written store.Content, info store.ContentInfo) error {
	what := "put content " + id.String()
	w, ok := written.(*content)
	if !ok {
		return fmt.Errorf("embedded: %s: %w: not a content of this store", what, store.ErrUnavailable)
	}
	defer w.Discard()
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	switch {
	case c.closing.hasBegun():
		return translate(store.ErrClosed, what)
	case w.store != c || w.buf == nil:
		return translate(errUsedUp, what)
	case w.err != nil:
		return translate(w.err, what)
	}
	if put, err := c.known(id); err != nil || put {
		return translate(err, what)
	}
	row := contentRow{info: info, kind: kindInline}
	row.info.Size = w.size
	if w.inline(&row) {
		put, err := c.pending.put(ctx, id, row)
		if err == nil && !put {
			c.metrics.count(row.info.Size, int64(len(row.data)))
		}
		return translate(err, what)
	}
	if err := w.finishLarge(&row); err != nil {
		return translate(err, what)
	}
	// The file gets its name after its row, so that Sweep never treats the file as left over.
	if put, err := c.pending.put(ctx, id, row); err != nil || put {
		return translate(err, what)
	}
	if err := c.files.adopt(w.path, id, w.nonce); err != nil {
		c.pending.drop(id)
		c.files.suspect() // the rename may have happened
		return translate(err, what)
	}
	w.path = ""
	c.metrics.count(row.info.Size, row.fileLength())
	return nil
}

// DropContent implements store.Contents. It leaves the content to Sweep: the content waits in memory, where it costs no
// write, and after a fault of the folder the committer may still write a row whose AddMessages has failed.
func (*contents) DropContent(context.Context, mail.MessageID, int64) error { return nil }

// inline puts the octets of a small content into its row. It returns false for a content that needs a file.
func (c *content) inline(row *contentRow) bool {
	if c.blocks > 0 {
		return false
	}
	c.choose()
	row.codec, row.data = c.codec, c.data()
	if c.codec != codec.Raw {
		row.data = c.form
	}
	if len(row.data) <= inlineLimit {
		return true
	}
	row.codec, row.data = codec.Raw, nil
	return false
}

// known reports whether the content was put before. It then stays unchanged.
func (c *contents) known(id mail.MessageID) (known bool, err error) {
	if c.pending.get(id) != nil {
		return true, nil
	}
	key := contentKey(id)
	err = c.link.read("look for content", func(db *pebble.DB) error {
		known, err = has(db, key[:])
		return err
	})
	return known, err
}
