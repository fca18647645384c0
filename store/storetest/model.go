package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"popelago/mail"
	"popelago/store"
)

var modelCases = []testCase{
	{"random", func(e *env) {
		n := 0
		rapid.Check(e.T, func(t *rapid.T) {
			// One store serves all checks; each has mailboxes of its own.
			n++
			if e.suite.Quick && n > 20 || e.suite.ModelChecks > 0 && n > e.suite.ModelChecks {
				return
			}
			m := &model{e: e, name: fmt.Sprint(n), rows: map[modelKey]mail.Message{}, removed: map[modelKey]bool{}, contents: map[mail.MessageID]modelContent{}}
			t.Repeat(map[string]func(*rapid.T){
				"":            m.check,
				"deliver":     m.deliver,
				"add again":   m.addAgain,
				"remove":      m.remove,
				"removeFirst": m.removeFirst,
				"sweep":       m.sweep,
			})
		})
	}},
}

// model holds the expected data of a store, as plain maps.
type model struct {
	e        *env
	name     string
	rows     map[modelKey]mail.Message
	removed  map[modelKey]bool
	contents map[mail.MessageID]modelContent
	order    []mail.MessageID
}

type modelKey struct {
	mailbox mail.MailboxID
	id      mail.MessageID
}

type modelContent struct {
	data      []byte
	mailboxes []mail.MailboxID
}

const modelMailboxes = 3

func (m *model) mailbox(t *rapid.T) mail.MailboxID {
	return mailbox(fmt.Sprintf("%s-%d", m.name, rapid.IntRange(0, modelMailboxes-1).Draw(t, "mailbox")))
}

func (m *model) add(t *rapid.T, mb mail.MailboxID, msg mail.Message) {
	if errs := m.e.AddMessages(m.e.ctx, []store.Entry{{Mailbox: mb, Message: msg}}); errs[0] != nil {
		t.Fatalf("AddMessages: %v", errs[0])
	}
	k := modelKey{mb, msg.ID}
	if !m.removed[k] {
		m.rows[k] = msg
	}
}

func (m *model) deliver(t *rapid.T) {
	size := rapid.SampledFrom([]int{0, 10, 3000, 33_000, 70_000}).Draw(t, "size")
	mbs := rapid.SliceOfNDistinct(rapid.Custom(m.mailbox), 1, modelMailboxes, func(mb mail.MailboxID) mail.MailboxID { return mb }).Draw(t, "mailboxes")
	msg := mail.Message{ID: m.e.ids.Next(), Size: int64(size) + 20, Recipient: "x@example.test"}
	data := pattern(size, uint32(len(m.order)))
	err := Put(m.e.ctx, m.e.Engine, msg.ID, data, rapid.IntRange(1, 1<<17).Draw(t, "piece")+size/50, store.ContentInfo{Mailboxes: mbs})
	if err != nil {
		t.Fatalf("put: %v", err)
	}
	m.contents[msg.ID] = modelContent{data, mbs}
	m.order = append(m.order, msg.ID)
	for _, mb := range mbs {
		m.add(t, mb, msg)
	}
}

func (m *model) drawID(t *rapid.T) mail.MessageID {
	if len(m.order) == 0 {
		t.Skip("no messages yet")
	}
	return rapid.SampledFrom(m.order).Draw(t, "id")
}

func (m *model) addAgain(t *rapid.T) {
	id := m.drawID(t)
	c, ok := m.contents[id]
	if !ok {
		t.Skip("swept")
	}
	for _, mb := range c.mailboxes {
		k := modelKey{mb, id}
		if msg, ok := m.rows[k]; ok || m.removed[k] {
			if !ok {
				msg = mail.Message{ID: id, Size: 1}
			}
			m.add(t, mb, msg)
		}
	}
}

func (m *model) remove(t *rapid.T) {
	m.removeIDs(t, m.mailbox(t), []mail.MessageID{m.drawID(t), m.drawID(t)})
}

func (m *model) removeIDs(t *rapid.T, mb mail.MailboxID, ids []mail.MessageID) {
	if err := m.e.RemoveMessages(m.e.ctx, mb, ids); err != nil {
		t.Fatalf("RemoveMessages: %v", err)
	}
	for _, id := range ids {
		delete(m.rows, modelKey{mb, id})
		m.removed[modelKey{mb, id}] = true
	}
}

// removeFirst removes a message before it is added.
func (m *model) removeFirst(t *rapid.T) {
	mb, msg := m.mailbox(t), mail.Message{ID: m.e.ids.Next(), Size: 3}
	m.removeIDs(t, mb, []mail.MessageID{msg.ID})
	m.add(t, mb, msg)
}

func (m *model) sweep(t *rapid.T) {
	old := rapid.Bool().Draw(t, "old")
	at := time.Now().Add(-24 * time.Hour)
	if old {
		at = future()
	}
	if _, err := m.e.sweepAll(at); err != nil {
		t.Fatalf("Sweep: %v", err)
	}
	if !old || m.e.suite.SweepLimit != 1 {
		return
	}
	for id, c := range m.contents {
		live := slices.ContainsFunc(c.mailboxes, func(mb mail.MailboxID) bool {
			_, ok := m.rows[modelKey{mb, id}]
			return ok
		})
		if live {
			continue
		}
		if _, _, err := Read(m.e.ctx, m.e.Engine, id); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("swept content %s: %v", id, err)
		}
		delete(m.contents, id)
	}
}

// check compares the store with the model.
func (m *model) check(t *rapid.T) {
	byMailbox := map[mail.MailboxID]map[mail.MessageID]mail.Message{}
	for k, msg := range m.rows {
		if byMailbox[k.mailbox] == nil {
			byMailbox[k.mailbox] = map[mail.MessageID]mail.Message{}
		}
		byMailbox[k.mailbox][k.id] = msg
	}
	read := map[mail.MessageID]bool{} // a content in several mailboxes is read once
	for i := range modelMailboxes {
		mb := mailbox(fmt.Sprintf("%s-%d", m.name, i))
		want := slices.SortedFunc(maps.Values(byMailbox[mb]), func(a, b mail.Message) int { return a.ID.Compare(b.ID) })
		got, err := List(m.e.ctx, m.e.Engine, mb, 4)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("mailbox %d: %v\n got %v\nwant %v", i, err, got, want)
		}
		for _, msg := range got {
			c, ok := m.contents[msg.ID]
			if !ok || read[msg.ID] {
				continue // added without content, or read before
			}
			read[msg.ID] = true
			if _, data, err := Read(m.e.ctx, m.e.Engine, msg.ID); err != nil || !bytes.Equal(data, c.data) {
				t.Fatalf("content %s: %v, %d octets, want %d", msg.ID, err, len(data), len(c.data))
			}
		}
	}
}
