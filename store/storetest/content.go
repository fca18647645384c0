package storetest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing/iotest"
	"time"

	"popelago/mail"
	"popelago/store"
)

// pattern returns n arbitrary octets that depend on seed and on the position. An engine may compress contents:
// of four seeds in a row, the octets cannot be compressed, can be, can be at first only, and can be but for the
// beginning.
func pattern(n int, seed uint32) []byte {
	b := make([]byte, n)
	const sentence = "Content that can be compressed, as nearly all mail can be, in lines.\r\n"
	x := seed*2654435761 + 12345
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
		text := false
		switch seed % 4 {
		case 1:
			text = true
		case 2:
			text = i < 90_000
		case 3:
			text = i >= 70_000
		}
		if text && i%97 > 3 {
			b[i] = sentence[(i+int(seed)+i/5000)%len(sentence)]
		}
	}
	return b
}

// contentSizes lists the sizes at which engines change the form of a stored content.
var contentSizes = []int{
	0, 1, 2, 1000, 8 << 10, 32<<10 - 1, 32 << 10, 32<<10 + 1, 64<<10 - 5, 64<<10 - 4, 64<<10 - 3,
	64<<10 - 1, 64 << 10, 64<<10 + 1, 2*(64<<10-4) - 1, 2 * (64<<10 - 4), 128 << 10, 256 << 10, 256<<10 + 1, 300 << 10, 5 << 20,
}

var contentCases = []testCase{
	{"dropped", func(e *env) {
		mb := mailbox("a")
		kept, keptData := e.message(500), pattern(500, 1)
		e.put(kept.ID, keptData, 1000, mb)
		for _, n := range []int{0, 500, 600_000} {
			m := e.message(int64(n))
			e.put(m.ID, pattern(n, 2), 10_000, mb)
			for range 2 {
				if err := e.DropContent(e.ctx, m.ID, m.Size); err != nil {
					e.Errorf("drop a content of %d octets: %v", n, err)
				}
			}
		}
		if unknown := e.message(1); e.DropContent(e.ctx, unknown.ID, 1) != nil {
			e.Error("drop a content that was never put")
		}
		e.add(mb, kept)
		e.wantContent(kept.ID, keptData)
		e.wantMessages(mb, kept)
	}},
	{"compressible or not", func(e *env) {
		mb := mailbox("a")
		for _, n := range []int{1, 500, 33_000, 65_532, 65_533, 140_000, 256 << 10, 256<<10 + 1, 600_000, 768 << 10} {
			const seeds = 4
			for seed := range uint32(seeds) {
				m, data := e.message(int64(n)), pattern(n, seed)
				e.put(m.ID, data, 10_000, mb)
				e.wantContent(m.ID, data)
				e.add(mb, m)
				e.wantContent(m.ID, data)
				e.remove(mb, m.ID)
				e.wantContent(m.ID, data)
			}
			if r := e.sweep(future()); r.Contents != seeds || r.Octets != int64(seeds*n) {
				e.Fatalf("Sweep: %+v, want %d contents with %d octets each", r, seeds, n)
			}
		}
	}},
	{"round trip", func(e *env) {
		sizes := contentSizes
		if e.suite.Quick {
			sizes = sizes[:len(sizes)-1]
		}
		mb := mailbox("a")
		type stored struct {
			m    mail.Message
			data []byte
		}
		var all []stored
		for i, n := range sizes {
			for _, piece := range []int{n, 4096, 777} {
				if n > 1<<20 && piece != 4096 {
					continue
				}
				s := stored{e.message(int64(n) + 1), pattern(n, uint32(i))}
				e.put(s.m.ID, s.data, piece, mb)
				e.wantContent(s.m.ID, s.data) // before a message refers to the content
				e.add(mb, s.m)
				all = append(all, s)
			}
		}
		for _, s := range all {
			info := e.wantContent(s.m.ID, s.data)
			if info.ReversePath != "sender@example.org" || !slices.Equal(info.Mailboxes, []mail.MailboxID{mb}) {
				e.Fatalf("ContentInfo: %+v", info)
			}
		}
	}},
	{"odd readers", func(e *env) {
		mb := mailbox("a")
		for i, n := range []int{100, 70_000, 200_000} {
			m, data := e.message(int64(n)), pattern(n, uint32(i))
			e.put(m.ID, data, n, mb)
			e.add(mb, m)
			_, r, err := e.OpenContent(e.ctx, m.ID, "")
			if err != nil {
				e.Fatal(err)
			}
			// Reads of all sizes, then the rest by WriteTo.
			head := make([]byte, n/3)
			if _, err := io.ReadFull(iotest.OneByteReader(r), head[:10]); err != nil {
				e.Fatal(err)
			}
			if _, err := io.ReadFull(r, head[10:]); err != nil {
				e.Fatal(err)
			}
			var rest writer
			if _, err := io.Copy(&rest, r); err != nil {
				e.Fatal(err)
			}
			if !slices.Equal(append(head, rest...), data) {
				e.Fatalf("%d octets in pieces differ", n)
			}
			if n, err := r.Read(head); n != 0 || err != io.EOF {
				e.Fatalf("read at the end: %d, %v", n, err)
			}
			if err := r.Close(); err != nil {
				e.Fatal(err)
			}
		}
	}},
	{"info", func(e *env) {
		var mbs []mail.MailboxID
		for i := range 300 {
			mbs = append(mbs, mailbox(fmt.Sprint(i)))
		}
		for _, want := range []store.ContentInfo{
			{},
			{ReversePath: "postmästare@exämple.test", Mailboxes: mbs[:1]},
			{Size: 99, ReversePath: string(pattern(256, 3)), Mailboxes: mbs},
		} {
			id := e.ids.Next()
			if err := Put(e.ctx, e.Engine, id, []byte("four"), 4, want); err != nil {
				e.Fatal(err)
			}
			e.add(mbs[0], mail.Message{ID: id, Size: 4})
			got := e.wantContent(id, []byte("four"))
			if got.ReversePath != want.ReversePath || !slices.Equal(got.Mailboxes, want.Mailboxes) {
				e.Fatalf("got %+v\nwant %+v", got, want)
			}
		}
	}},
	{"unknown", func(e *env) {
		e.wantNoContent(e.ids.Next())
		m := e.message(1)
		e.add(mailbox("a"), m) // a row without content
		e.wantNoContent(m.ID)
	}},
	{"put twice", func(e *env) {
		mb := mailbox("a")
		for i, n := range []int{100, 100_000} {
			m, data := e.message(int64(n)), pattern(n, uint32(i))
			e.put(m.ID, data, n, mb)
			e.put(m.ID, data, 999, mb)
			e.wantContent(m.ID, data)
			e.add(mb, m)
			e.wantContent(m.ID, data)
			e.put(m.ID, data, 4096, mb)
			e.wantContent(m.ID, data)
			e.add(mb, m)
			e.wantContent(m.ID, data)
		}
	}},
	{"discard", func(e *env) {
		for _, n := range []int{0, 10, 200_000} {
			c, err := e.NewContent(e.ctx)
			if err != nil {
				e.Fatal(err)
			}
			if _, err := c.Write(pattern(n, 1)); err != nil {
				e.Fatal(err)
			}
			c.Discard()
			c.Discard()
			err = e.PutContent(e.ctx, e.ids.Next(), c, store.ContentInfo{})
			if err == nil {
				e.Fatal("PutContent of a discarded content: no error")
			}
			e.wantClass("PutContent of a discarded content", err)
		}
		// After PutContent, Discard has no effect.
		c, err := e.NewContent(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		data := pattern(100_000, 5)
		if _, err := c.Write(data); err != nil {
			e.Fatal(err)
		}
		m := e.message(1)
		if err := e.PutContent(e.ctx, m.ID, c, store.ContentInfo{}); err != nil {
			e.Fatal(err)
		}
		c.Discard()
		e.wantContent(m.ID, data)
		if err := e.PutContent(e.ctx, e.ids.Next(), c, store.ContentInfo{}); err == nil {
			e.Fatal("a second PutContent of a content: no error")
		}
	}},
	{"many at once", func(e *env) {
		// Contents being written side by side do not mix.
		var cs []store.Content
		var want [][]byte
		for i := range 20 {
			c, err := e.NewContent(e.ctx)
			if err != nil {
				e.Fatal(err)
			}
			cs = append(cs, c)
			want = append(want, pattern(i*9000, uint32(i)))
		}
		for round := range 18 {
			for i, c := range cs {
				if round < i {
					if _, err := c.Write(want[i][round*9000:][:9000]); err != nil {
						e.Fatal(err)
					}
				}
			}
		}
		for i, c := range cs {
			if rest := want[i][min(len(want[i]), 18*9000):]; len(rest) > 0 {
				if _, err := c.Write(rest); err != nil {
					e.Fatal(err)
				}
			}
			m := e.message(1)
			if err := e.PutContent(e.ctx, m.ID, c, store.ContentInfo{}); err != nil {
				e.Fatal(err)
			}
			e.add(mailbox("a"), m)
			e.wantContent(m.ID, want[i])
		}
	}},
	{"cancelled context", func(e *env) {
		_, err := e.NewContent(cancelled())
		e.wantCancelled("NewContent", err)
		c, err := e.NewContent(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		e.wantCancelled("PutContent", e.PutContent(cancelled(), e.ids.Next(), c, store.ContentInfo{}))
		m := e.message(1)
		e.put(m.ID, []byte("x"), 1)
		_, _, err = e.OpenContent(cancelled(), m.ID, "")
		e.wantCancelled("OpenContent", err)
		if errors.Is(err, store.ErrNotFound) {
			e.Errorf("an ended context is not %v", store.ErrNotFound)
		}
	}},
}

// writer collects the octets written.
type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

var sweepCases = []testCase{
	{"nothing", func(e *env) {
		if r := e.sweep(future()); r != (store.SweepReport{}) {
			e.Fatalf("Sweep of an empty store: %+v", r)
		}
	}},
	{"keeps referenced content", func(e *env) {
		mb := mailbox("a")
		for i, n := range []int{10, 100_000} {
			m, data := e.message(1), pattern(n, uint32(i))
			e.put(m.ID, data, n, mb)
			e.add(mb, m)
			if r := e.sweep(future()); r.Contents != 0 {
				e.Fatalf("Sweep removed a content in use: %+v", r)
			}
			e.wantContent(m.ID, data)
		}
	}},
	{"removes unreferenced content", func(e *env) {
		mb := mailbox("a")
		var octets int64
		var ids []mail.MessageID
		for i, n := range []int{10, 8 << 10, 100_000, 0} {
			m := e.message(1)
			e.put(m.ID, pattern(n, uint32(i)), 4096, mb)
			e.add(mb, m)
			ids = append(ids, m.ID)
			octets += int64(n)
		}
		e.remove(mb, ids...)
		if r := e.sweep(time.Now().Add(-time.Hour)); r.Contents != 0 {
			e.Fatalf("Sweep of older removals removed %+v", r)
		}
		r := e.sweep(future())
		if r.Contents != len(ids) || r.Octets != octets {
			e.Fatalf("Sweep: %+v, want %d contents with %d octets", r, len(ids), octets)
		}
		for _, id := range ids {
			e.wantNoContent(id)
		}
		if r := e.sweep(future()); r.Contents != 0 {
			e.Fatalf("Sweep again: %+v", r)
		}
	}},
	{"is watched", func(e *env) {
		mb := mailbox("a")
		var octets int64
		for i, n := range []int{10, 100_000, 20} {
			m := e.message(1)
			e.put(m.ID, pattern(n, uint32(i)), 4096, mb)
			e.add(mb, m)
			e.remove(mb, m.ID)
			octets += int64(n)
		}
		e.put(e.ids.Next(), pattern(30, 4), 30, mb) // without a message
		octets += 30
		var sum, last store.SweepReport
		show := func(r store.SweepReport) {
			if r.Contents < last.Contents || r.Octets < last.Octets || r.Remaining < 0 {
				e.Errorf("%+v is shown after %+v", r, last)
			}
			last = r
		}
		ended := func(what string, r store.SweepReport, err error) {
			if last.Remaining = 0; err != nil || r.Remaining != 0 || r.Contents != last.Contents || r.Octets != last.Octets {
				e.Errorf("%s: %+v, %v; the last report shown: %+v", what, r, err, last)
			}
			sum.Contents, sum.Octets = sum.Contents+r.Contents, sum.Octets+r.Octets
			last = store.SweepReport{}
		}
		for range e.suite.SweepLimit {
			r, err := e.Sweep(store.Watch(e.ctx, show), future())
			ended("Sweep", r, err)
			o, err := e.SweepOrphans(store.Watch(e.ctx, func(r store.OrphanReport) {
				if r.Percent < 0 || r.Percent > 100 {
					e.Errorf("%+v is shown", r)
				}
				show(r.SweepReport)
			}), future(), future())
			ended("SweepOrphans", o.SweepReport, err)
			if o.Percent != 0 {
				e.Errorf("SweepOrphans: %+v", o)
			}
		}
		if sum.Contents != 4 || sum.Octets != octets {
			e.Errorf("swept: %+v, want 4 contents with %d octets", sum, octets)
		}
	}},
	{"shared content", func(e *env) {
		a, b, c := mailbox("a"), mailbox("b"), mailbox("c")
		for i, n := range []int{10, 100_000} {
			m, data := e.message(1), pattern(n, uint32(i))
			e.put(m.ID, data, n, a, b, c)
			e.addEntries(store.Entry{Mailbox: a, Message: m}, store.Entry{Mailbox: b, Message: m}) // never to c
			e.remove(a, m.ID)
			e.sweep(future())
			e.wantContent(m.ID, data)
			e.remove(b, m.ID)
			e.wantContent(m.ID, data)
			e.sweep(future())
			e.wantNoContent(m.ID)
		}
	}},
	{"content without a message", func(e *env) {
		mb := mailbox("a")
		small, large, used := e.ids.Next(), e.ids.Next(), e.message(1)
		e.put(small, pattern(10, 1), 10, mb)
		e.put(large, pattern(100_000, 2), 5000, mb)
		e.put(used.ID, pattern(50, 3), 50, mb)
		if r := e.sweep(time.Now().Add(-time.Hour)); r.Contents != 0 {
			e.Fatalf("Sweep removed fresh content: %+v", r)
		}
		e.add(mb, used)
		if r := e.sweep(future()); r.Contents != 2 || r.Octets != 100_010 {
			e.Fatalf("Sweep: %+v, want 2 contents with 100010 octets", r)
		}
		e.wantNoContent(small)
		e.wantNoContent(large)
		e.wantContent(used.ID, pattern(50, 3))
	}},
	{"readers go on", func(e *env) {
		mb, m, data := mailbox("a"), e.message(1), pattern(300_000, 1)
		e.put(m.ID, data, 5000, mb)
		e.add(mb, m)
		_, r, err := e.OpenContent(e.ctx, m.ID, "")
		if err != nil {
			e.Fatal(err)
		}
		defer r.Close()
		e.remove(mb, m.ID)
		e.sweep(future())
		// The octets, or an error; never fewer octets with io.EOF.
		got, err := io.ReadAll(r)
		if err == nil && !slices.Equal(got, data) {
			e.Fatalf("a reader got %d octets and no error", len(got))
		}
		if err != nil {
			e.wantClass("Read", err)
		}
	}},
}
