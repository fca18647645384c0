package maildrop

import "popelago/mail"

// Row returns the row of message n: the first, if several rows have the unique-id. The texts of the
// row share the memory of the list. Errors: ErrNoSuchMessage, ErrMarked.
func (m *Maildrop) Row(n int) (mail.Message, error) {
	if err := m.check(n); err != nil {
		return mail.Message{}, err
	}
	return m.row(n), nil
}

// Numbers returns the message-numbers of unique-ids; a unique-id outside the list has none. Numbers
// looks at every message.
func (m *Maildrop) Numbers(wanted []mail.UIDL) map[mail.UIDL]int {
	asked := make(map[mail.UIDL]bool, len(wanted))
	for _, u := range wanted {
		asked[u] = true
	}
	found := make(map[mail.UIDL]int, len(wanted))
	for n := 1; n <= m.Len(); n++ {
		if u := m.row(n).UniqueID(); asked[u] {
			found[u] = n
		}
	}
	return found
}
