package cassandra

import (
	"context"
	"errors"
	"fmt"
	"io"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// firstChunk is chunk 0 of a content.
type firstChunk struct {
	data        []byte // decoded
	size        *int64
	chunks      int
	codec       int
	recipients  []gocql.UUID
	reversePath string
}

// OpenContent implements store.Contents.
//
// A content is immutable and named by its id, so one replica that has the content is enough. A replica may lack
// the content, so a miss at one replica proves nothing: see contentLevels.
func (c *contents) OpenContent(ctx context.Context, id mail.MessageID, _ string) (store.ContentInfo, io.ReadCloser, error) {
	var first firstChunk
	err := c.eachLevel(ctx, func(level gocql.Consistency) (err error) {
		first, err = c.readFirst(ctx, id, level)
		return err
	})
	if err != nil {
		return store.ContentInfo{}, nil, err
	}
	info := store.ContentInfo{Size: *first.size}
	if info.ReversePath, err = decodeText(first.reversePath); err != nil {
		return store.ContentInfo{}, nil, err
	}
	for _, mailbox := range first.recipients {
		info.Mailboxes = append(info.Mailboxes, mail.MailboxID(mailbox))
	}
	return info, &reader{c: c, ctx: ctx, id: id, size: info.Size, chunks: first.chunks, codec: codec.ID(first.codec), current: first.data}, nil
}

// contentLevels returns the consistencies at which a content is looked for, in order.
//
// An index row may reach a datacenter before its content. So a content missing in the local datacenter is read
// at EACH_QUORUM: a quorum of some datacenter had the content before the row was written, and the read
// includes a replica of that quorum. Missing again, the content does not exist.
func (c *contents) contentLevels() []gocql.Consistency {
	switch level := c.at.reads(); {
	case c.at.name != levelLocal:
		return []gocql.Consistency{level}
	case c.at.link.confirming.Load():
		return []gocql.Consistency{gocql.LocalOne, gocql.EachQuorum}
	default:
		return []gocql.Consistency{gocql.LocalOne, level, gocql.EachQuorum}
	}
}

// eachLevel calls read at one level after the other, until read finds the content. A replica that lacks the
// content, has it damaged, or fails is not the end: a quorum has other replicas. A quorum that fails is.
func (c *contents) eachLevel(ctx context.Context, read func(gocql.Consistency) error) (err error) {
	for i, level := range c.contentLevels() {
		if i > 0 {
			c.run.metrics.countReread(err)
		}
		err = read(level)
		switch {
		case err == nil, ctx.Err() != nil, unsent(err):
			return err
		case errors.Is(err, store.ErrNotFound), level == gocql.LocalOne:
			continue
		}
		return err
	}
	return err
}

// readFirst reads chunk 0 at a consistency.
func (c *contents) readFirst(ctx context.Context, id mail.MessageID, level gocql.Consistency) (f firstChunk, err error) {
	what := fmt.Sprintf("open content %s", id)
	found, err := c.run.readOne(ctx, statement{
		cql: selectFirstChunk, values: []any{gocql.UUID(id), 0}, consistency: level, what: what, impatient: level == gocql.LocalOne,
		early: store.IsEarly(ctx),
	}, &f.data, &f.size, &f.chunks, &f.codec, &f.recipients, &f.reversePath)
	switch {
	case err != nil:
		return f, err
	case !found || f.size == nil:
		return f, fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
	case *f.size < 0 || f.chunks != chunksOf(*f.size):
		return f, fmt.Errorf("cassandra: %s: %w: %d octets in %d chunks", what, store.ErrCorrupt, *f.size, f.chunks)
	}
	if f.data, _, err = c.decode(codec.ID(f.codec), nil, f.data, lengthOf(0, *f.size)); err != nil {
		return f, fmt.Errorf("cassandra: %s: %w", what, err)
	}
	return f, nil
}

// decode returns a chunk of length octets from its stored form: the stored form itself if it is raw, or else
// memory of the caller, which is dst if there is room.
func (c *contents) decode(coded codec.ID, dst, stored []byte, length int) (chunk []byte, own bool, err error) {
	if codec.Known(coded) == nil && len(stored) == length {
		return stored, false, nil
	}
	chunk, err = c.cfg.coder.Decode(coded, dst, stored, length)
	return chunk, true, err
}

// readChunk reads a chunk other than the first, of length octets. free is memory for the chunk.
func (c *contents) readChunk(ctx context.Context, id mail.MessageID, n int, coded codec.ID, length int, free []byte) (f fetched) {
	what := fmt.Sprintf("read chunk %d of content %s", n, id)
	f.err = c.eachLevel(ctx, func(level gocql.Consistency) error {
		var stored []byte
		found, err := c.run.readOne(ctx, statement{
			cql: selectChunk, values: []any{gocql.UUID(id), n}, consistency: level, what: what, impatient: level == gocql.LocalOne,
		}, &stored)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
		}
		if f.data, f.own, err = c.decode(coded, free, stored, length); err != nil {
			return fmt.Errorf("cassandra: %s: %w", what, err)
		}
		return nil
	})
	if !errors.Is(f.err, store.ErrNotFound) {
		return f
	}
	// A sweep removes chunk 0 last.
	if _, err := c.readFirst(ctx, id, gocql.EachQuorum); err != nil {
		return fetched{err: err}
	}
	return fetched{err: fmt.Errorf("cassandra: %s: %w: it is missing", what, store.ErrCorrupt)}
}

// reader reads a content chunk by chunk. It holds at most two chunks, and the stored form of the second: the
// current chunk, and the next one while it is being fetched.
type reader struct {
	c      *contents
	ctx    context.Context
	id     mail.MessageID
	size   int64
	chunks int
	codec  codec.ID

	current []byte // chunk n
	own     bool   // current is memory of the reader
	at      int    // position in current
	n       int
	free    []byte       // memory for the next chunk
	next    chan fetched // gets chunk n+1; nil if the chunk was not asked for
	err     error
}

type fetched struct {
	data []byte
	own  bool
	err  error
}

// prefetch asks for the next chunk, once.
func (r *reader) prefetch() {
	if r.next != nil || r.n+1 >= r.chunks {
		return
	}
	next, n, free := make(chan fetched, 1), r.n+1, r.free
	r.next, r.free = next, nil
	go func() { next <- r.c.readChunk(r.ctx, r.id, n, r.codec, lengthOf(n, r.size), free) }()
}

// advance makes the next chunk current. It returns io.EOF after the last.
func (r *reader) advance() error {
	if r.err != nil {
		return r.err
	}
	if r.n+1 >= r.chunks {
		return io.EOF
	}
	r.prefetch()
	f := <-r.next
	r.next = nil
	if f.err != nil {
		r.err = f.err
		return r.err
	}
	if r.own {
		r.free = r.current[:0]
	}
	r.current, r.own, r.at, r.n = f.data, f.own, 0, r.n+1
	return nil
}

// Read implements io.Reader. The next chunk is fetched once half of the current one was read: reading
// only the header of a message costs one chunk.
func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, r.err
	}
	for r.at == len(r.current) {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	if r.err != nil {
		return 0, r.err
	}
	n := copy(p, r.current[r.at:])
	r.at += n
	if r.at > len(r.current)/2 {
		r.prefetch()
	}
	return n, nil
}

// WriteTo implements io.WriterTo.
func (r *reader) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		if r.err != nil {
			return written, r.err
		}
		if r.at < len(r.current) {
			r.prefetch()
			n, err := w.Write(r.current[r.at:])
			r.at += n
			written += int64(n)
			if err != nil {
				return written, err
			}
		}
		if err := r.advance(); errors.Is(err, io.EOF) {
			return written, nil
		} else if err != nil {
			return written, err
		}
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.current, r.free, r.at, r.chunks = nil, nil, 0, 0
	r.err = errUsedUp
	if r.next != nil {
		<-r.next // ends soon after the context, and in any case after the time-outs
		r.next = nil
	}
	return nil
}
