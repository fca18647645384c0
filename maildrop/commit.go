package maildrop

import (
	"context"
	"fmt"
	"iter"

	"popelago/mail"
	"popelago/store"
)

// Commit removes the marked messages permanently, and returns the durability reached. After an error
// some of the messages may be removed, and Commit may be repeated. Errors: the errors of
// store.RemoveListed.
func (m *Maildrop) Commit(ctx context.Context) (mail.Reached, error) {
	if m.marked == 0 {
		return mail.ReachedLocal, nil
	}
	reached, err := m.store.Durably(m.options.Durability, func(st store.Mail) error { return m.removeMarked(ctx, st) })
	if err != nil {
		return reached, fmt.Errorf("maildrop: remove %d messages of mailbox %s: %w", m.marked, m.mailbox, err)
	}
	return reached, nil
}

// commitPage bounds the rows of one call of store.RemoveListed.
const commitPage = 2000

// removeMarked removes the rows of the marked messages.
func (m *Maildrop) removeMarked(ctx context.Context, st store.Mail) error {
	rows := make([]mail.Message, 0, min(m.marked+len(m.twins.rows), commitPage))
	remove := func(row int) (err error) {
		if rows = append(rows, m.list.row(row)); len(rows) == commitPage {
			err = st.RemoveListed(ctx, m.mailbox, rows)
			rows = rows[:0]
		}
		return err
	}
	for row := range m.markedRows() {
		if err := remove(row); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return st.RemoveListed(ctx, m.mailbox, rows)
}

// markedRows lists the rows of the marked messages.
func (m *Maildrop) markedRows() iter.Seq[int] {
	return func(yield func(row int) bool) {
		for n := 1; n <= m.Len(); n++ {
			if !m.isMarked(n) {
				continue
			}
			first := m.twins.rowOf(n)
			if !yield(first) {
				return
			}
			for _, twin := range m.twins.of(first) {
				if !yield(twin.row) {
					return
				}
			}
		}
	}
}

// EachMarked calls fn with every row of the marked messages. The texts of a row share the memory of the list.
func (m *Maildrop) EachMarked(fn func(mail.Message)) {
	for row := range m.markedRows() {
		fn(m.list.row(row))
	}
}
