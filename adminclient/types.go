package adminclient

import "time"

// Health is the answer of /healthz while the server can read its store.
type Health struct {
	Status  string `json:"status" doc:"Always ok." example:"ok"`
	Version string `json:"version" doc:"The server's version."`
	Warning string `json:"warning,omitempty" doc:"Why the server serves only a part of the mailboxes; empty: the server serves all."`
}

// NewDomain asks for a domain to be hosted.
type NewDomain struct {
	Name string `json:"name" maxLength:"255" doc:"The domain's name." example:"example.org"`
}

// Domain is a hosted domain.
type Domain struct {
	Name    string    `json:"name" doc:"Lower case, internationalized labels as A-labels."`
	Created time.Time `json:"created" doc:"When the domain was added."`
	// Durability is empty if the server's default counts.
	Durability string `json:"durability,omitempty" enum:"local,each,each-or-local" doc:"Replicas that must have mail and removals before they are acknowledged; absent: the server's default."`
	Retention  string `json:"retention" doc:"Age at which messages expire." example:"90d"`
}

// DomainSettings changes settings of a domain. Empty fields stay unchanged.
type DomainSettings struct {
	Durability string `json:"durability,omitempty" enum:"local,each,each-or-local,default" doc:"Replicas that must have mail and removals before they are acknowledged; default: the server's default."`
	Retention  string `json:"retention,omitempty" maxLength:"30" doc:"Age at which messages expire: days such as 90d, hours such as 36h, or forever." example:"90d"`
}

// DomainList is a page of the hosted domains, by name.
type DomainList struct {
	Domains []Domain `json:"domains" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
	// Unread is only for a client that accepts partial lists, see Client.Partial.
	Unread []string `json:"unread,omitempty" nullable:"false" doc:"Parts that the page lacks because they cannot be read now, such as shard 5 of 128, which has a part of the addresses of the domain. Only with partial."`
}

// NewAccount asks for an account to be made.
type NewAccount struct {
	Address  string `json:"address" maxLength:"1000" doc:"local-part@domain, in a hosted domain." example:"alice@example.org"`
	Password string `json:"password" doc:"The password in clear text."`
}

// Account is a live account.
type Account struct {
	Address string    `json:"address" doc:"In canonical form."`
	State   string    `json:"state" enum:"enabled,disabled" doc:"A disabled account accepts no mail and no logins."`
	Mailbox string    `json:"mailbox" doc:"The id of the mailbox. An account made again has a new mailbox."`
	Created time.Time `json:"created" doc:"When the account was made."`
	// Retention is the text of mail.AsDomain for an account without a retention of its own.
	Retention string `json:"retention" doc:"Age at which messages expire; domain: the retention of the domain." example:"domain"`
	// Bulk is nil if its mailbox is not bulk.
	Bulk *time.Time `json:"bulk,omitempty" doc:"Moment from which the mailbox is bulk, perhaps still ahead; absent: an ordinary mailbox."`
}

// AccountDetail is an account, with the count and size of its messages.
type AccountDetail struct {
	Account
	// DomainRetention counts if the account has no retention of its own.
	DomainRetention  string `json:"domainRetention" doc:"The retention of the domain." example:"90d"`
	RetentionInForce string `json:"retentionInForce" doc:"The age in force: the account's or the domain's, within the bounds retention_min and retention_max." example:"90d"`
	Activity
	// Settings holds the settings of the account's own.
	Settings map[string]string `json:"settings,omitempty" doc:"The settings that the account has itself, by name."`
}

// NewAddress asks for another address of an account.
type NewAddress struct {
	To string `json:"to" maxLength:"1000" doc:"The new address, in a hosted domain." example:"alice.miller@example.org"`
}

// Password asks for another password.
type Password struct {
	Password string `json:"password" doc:"The new password in clear text."`
}

// The states of an account.
const (
	Enabled  = "enabled"
	Disabled = "disabled"
)

// Retention asks for another retention of an account.
type Retention struct {
	Retention string `json:"retention" maxLength:"30" doc:"Age at which messages expire: days such as 90d, hours such as 36h, forever, or domain for the retention of the domain." example:"90d"`
}

// Bulk is the answer for a mailbox that was made bulk.
type Bulk struct {
	Since time.Time `json:"since" doc:"Moment from which the mailbox is bulk, at first some time ahead."`
}

// State asks for another state.
type State struct {
	State string `json:"state" enum:"enabled,disabled"`
}

// Removal reports the removal of an account's messages.
type Removal struct {
	Messages int `json:"messages" doc:"Messages removed."`
	// Pending is set when some are left for the server to remove later. Nobody can read
	// them any more.
	Pending bool `json:"pending" doc:"The server removes the remaining messages later. No client can read them."`
	// Shared is set when another account has the mailbox too, and keeps the messages.
	Shared bool `json:"shared,omitempty" doc:"Another account has the mailbox too, because a rename stopped half way or was made twice at once; the messages stay."`
}
