package maildrop

import "popelago/mail"

// Retrieved notes in the session: the client has retrieved message n whole. The store is not changed, see
// RetrievedIDs. A number outside the list is ignored.
func (m *Maildrop) Retrieved(n int) {
	if n < 1 || n > m.Len() {
		return
	}
	if m.retrieved == nil {
		m.retrieved = make([]uint64, (m.Len()+63)/64)
	}
	m.retrieved[(n-1)/64] |= 1 << ((n - 1) % 64)
}

// RetrievedIDs returns the ids of all rows of the messages noted by Retrieved; without the marked messages
// if withoutMarked is set, because Commit has removed them.
func (m *Maildrop) RetrievedIDs(withoutMarked bool) (ids []mail.MessageID) {
	for i, word := range m.retrieved {
		if withoutMarked && m.marks != nil {
			word &^= m.marks[i]
		}
		for n := 64*i + 1; word != 0; n, word = n+1, word>>1 {
			if word&1 == 0 {
				continue
			}
			first := m.twins.rowOf(n)
			ids = append(ids, m.list.row(first).ID)
			for _, twin := range m.twins.of(first) {
				ids = append(ids, m.list.row(twin.row).ID)
			}
		}
	}
	return ids
}
