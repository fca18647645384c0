package mail

// Limits bound the mail of one account. The zero value of each field means no limit.
type Limits struct {
	// Octets and Messages are the quota of the mailbox.
	Octets, Messages int64
	// DomainOctets and DomainMessages are the quota of all mailboxes of the domain together.
	DomainOctets, DomainMessages int64
	// Refuse says that mail over the quota of the mailbox is refused permanently. Otherwise the sender
	// tries again later.
	Refuse bool
	// Size bounds a message, in octets as the sender counts them.
	Size int64
	// Recipients bounds the recipients of a message to the account.
	Recipients int
	// Retention is the age from which messages do not count, because no maildrop lists them.
	Retention Retention
}

// Quota reports whether the mailbox or its domain has a quota.
func (l Limits) Quota() bool { return l.Mailbox() || l.Domain() }

// Mailbox reports whether the mailbox has a quota.
func (l Limits) Mailbox() bool { return l.Octets > 0 || l.Messages > 0 }

// Domain reports whether the domain has a quota.
func (l Limits) Domain() bool { return l.DomainOctets > 0 || l.DomainMessages > 0 }
