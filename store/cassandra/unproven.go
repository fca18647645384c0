package cassandra

import "popelago/mail"

// without returns the contents that no mailbox in by names. unclear counts the contents with a read that
// failed: a mailbox may name them.
func without(contents map[mail.MessageID]stored, by map[mail.MessageID][]mail.MailboxID, unread map[mail.MessageID]*obstacle) (rest map[mail.MessageID]stored, unclear int) {
	rest = map[mail.MessageID]stored{}
	for id, c := range contents {
		switch {
		case len(by[id]) > 0:
		case unread[id] != nil:
			unclear++
		default:
			rest[id] = c
		}
	}
	return rest, unclear
}

// withoutFirst returns the chunks of contents without a chunk 0. unclear counts the chunks whose chunk 0
// could not be read.
func withoutFirst(parts []part, whole map[mail.MessageID]stored, unread map[mail.MessageID]*obstacle) (loose []part, unclear int) {
	for _, p := range parts {
		_, ok := whole[p.message]
		switch {
		case ok:
		case unread[p.message] != nil:
			unclear++
		default:
			loose = append(loose, p)
		}
	}
	return loose, unclear
}
