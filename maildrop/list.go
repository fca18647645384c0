package maildrop

import (
	"context"
	"slices"
	"sort"

	"popelago/mail"
	"popelago/store"
)

// pageSize is the count of rows in one read of the list.
const pageSize = 5000

// list holds the rows of a mailbox in the order of their ids.
type list struct {
	blocks  []*block
	ends    []int // for each block: count of rows up to its end
	octets  int64
	carried int // count of rows with a unique-id of their own

	last int // index of the last used block
}

// read adds the rows of the mailbox behind after, page by page. The blocks are held in lists, even
// after an error.
func (l *list) read(ctx context.Context, st store.Mailboxes, mailbox mail.MailboxID, after mail.MessageID, lists *Lists) error {
	p := lists.packer()
	defer lists.packers.Put(p)
	for {
		rows, more, err := st.ListMessages(ctx, mailbox, after, pageSize)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if !row.UIDL.Valid() {
				row.UIDL = "" // absent, or invalid for a client
			}
			if row.UIDL != "" {
				l.carried++
			}
			l.octets += row.Size
			if p.add(row) {
				l.append(lists.hold(p.pack()))
			}
		}
		if !more || len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].ID
	}
	if p.count > 0 {
		l.append(lists.hold(p.pack()))
	}
	if cap(l.blocks) > len(l.blocks)+1 {
		l.blocks, l.ends = slices.Clone(l.blocks), slices.Clone(l.ends) // without spare capacity
	}
	return nil
}

func (l *list) append(b *block) {
	l.ends = append(l.ends, l.len()+b.rows)
	l.blocks = append(l.blocks, b)
}

// len is the count of rows.
func (l *list) len() int {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[len(l.ends)-1]
}

// start is the count of rows before a block.
func (l *list) start(block int) int {
	if block == 0 {
		return 0
	}
	return l.ends[block-1]
}

// row is row i, counted from 0. Its texts share the memory of the list.
func (l *list) row(i int) mail.Message {
	if i < l.start(l.last) || i >= l.ends[l.last] {
		l.last = sort.SearchInts(l.ends, i+1)
	}
	return l.blocks[l.last].row(i - l.start(l.last))
}
