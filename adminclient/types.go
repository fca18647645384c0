package adminclient

import "time"

// Health is what /healthz answers while the server can read its store.
type Health struct {
	Status  string `json:"status" doc:"Always ok." example:"ok"`
	Version string `json:"version" doc:"The server's version."`
}

// NewDomain asks for a domain to be hosted.
type NewDomain struct {
	Name string `json:"name" maxLength:"255" doc:"The domain's name." example:"example.org"`
}

// Domain is a hosted domain.
type Domain struct {
	Name    string    `json:"name" doc:"Lower case, internationalized labels as A-labels."`
	Created time.Time `json:"created" doc:"When it was added."`
	// Durability is empty if the server's default counts.
	Durability string `json:"durability,omitempty" enum:"local,each,each-or-local" doc:"How far mail and removals have to get; absent: as the server is set."`
	Retention  string `json:"retention" doc:"How long messages stay at most." example:"90d"`
}

// DomainSettings asks for other settings of a domain. What is empty stays as it is.
type DomainSettings struct {
	Durability string `json:"durability,omitempty" enum:"local,each,each-or-local,default" doc:"How far mail and removals have to get before they are acknowledged; default: as the server is set."`
	Retention  string `json:"retention,omitempty" maxLength:"30" doc:"How long messages stay at most: days such as 90d, hours such as 36h, or forever." example:"90d"`
}

// DefaultDurability in DomainSettings takes a durability of its own away from a domain.
const DefaultDurability = "default"

// DomainList is all hosted domains, by name.
type DomainList struct {
	Domains []Domain `json:"domains" nullable:"false"`
}

// NewAccount asks for an account to be made.
type NewAccount struct {
	Address  string `json:"address" maxLength:"1000" doc:"local-part@domain, in a hosted domain." example:"alice@example.org"`
	Password string `json:"password" doc:"The password in clear."`
}

// Account is a live account.
type Account struct {
	Address string    `json:"address" doc:"In canonical form."`
	State   string    `json:"state" enum:"enabled,disabled" doc:"A disabled account takes no mail and no logins."`
	Mailbox string    `json:"mailbox" doc:"The id of its mailbox. An account made again has another one."`
	Created time.Time `json:"created" doc:"When it was made."`
	// Retention is RetainAsDomain if it has none of its own.
	Retention string `json:"retention" doc:"How long messages stay at most; domain: as long as its domain says." example:"domain"`
	// Bulk is nil if its mailbox is not bulk.
	Bulk *time.Time `json:"bulk,omitempty" doc:"Since when its mailbox is bulk, which may be some time ahead; absent: it is not."`
}

// AccountDetail is an account and what its mailbox holds.
type AccountDetail struct {
	Account
	// DomainRetention is what counts if the account has no retention of its own.
	DomainRetention string `json:"domainRetention" doc:"The retention of its domain." example:"90d"`
	Messages        int    `json:"messages" doc:"Messages in the mailbox."`
	Octets          int64  `json:"octets" doc:"Their sizes as POP3 tells them, added up."`
}

// AccountList is one page of the accounts of a domain.
type AccountList struct {
	Accounts []Account `json:"accounts" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"The after of the following page; absent if there is none."`
}

// Password asks for another password.
type Password struct {
	Password string `json:"password" doc:"The new password in clear."`
}

// The states of an account.
const (
	Enabled  = "enabled"
	Disabled = "disabled"
)

// Retention asks for another retention of an account.
type Retention struct {
	Retention string `json:"retention" maxLength:"30" doc:"How long messages stay at most: days such as 90d, hours such as 36h, forever, or domain: as long as its domain says." example:"90d"`
}

// Bulk is what became of a mailbox that was made bulk.
type Bulk struct {
	Since time.Time `json:"since" doc:"Since when it is, which is some time ahead at first."`
}

// State asks for another state.
type State struct {
	State string `json:"state" enum:"enabled,disabled"`
}

// Removal is what became of a removed account's messages.
type Removal struct {
	Messages int `json:"messages" doc:"Messages removed."`
	// Pending is set when some are left for the server to remove later. Nobody can read
	// them any more.
	Pending bool `json:"pending" doc:"Some messages are left for the server to remove later. Nobody can read them any more."`
}
