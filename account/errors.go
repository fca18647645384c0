package account

import (
	"errors"
	"fmt"

	"popelago/store"
)

// Errors of Resolve and SignIn.
var (
	// ErrNoSuchRecipient: no account has this address. SMTP answers 550 5.1.1.
	ErrNoSuchRecipient = errors.New("no such recipient")
	// ErrNotHosted is the kind of ErrNoSuchRecipient where no datacenter hosts the domain.
	ErrNotHosted = fmt.Errorf("%w: the domain is not hosted", ErrNoSuchRecipient)
	// ErrDisabled: the account exists but is disabled, has expired, or may not be used this way. The text
	// has the reason, for the log alone. SignIn returns ErrDisabled only after the right password.
	ErrDisabled = errors.New("account disabled")
	// ErrMisdirected: an alias or a group leads to itself only, or too far, or to too many accounts.
	// The mail waits with its sender until an administrator has corrected the directory: SMTP
	// answers 451 4.3.5.
	ErrMisdirected = errors.New("the address leads nowhere, or too far")
	// ErrSeveralAccounts: the address leads to several accounts.
	ErrSeveralAccounts = errors.New("the address leads to several accounts")
	// ErrBusyElsewhere is the kind of store.ErrUnavailable where the other datacenters were not
	// asked, because too many questions to them are waiting.
	ErrBusyElsewhere = fmt.Errorf("%w: too many questions to the other datacenters", store.ErrUnavailable)
	// ErrSomeDomains: a part of the domains cannot be read.
	ErrSomeDomains = fmt.Errorf("%w: a part of the domains cannot be read", store.ErrUnavailable)
	// ErrBadCredentials: unknown login or wrong password; clients cannot see which.
	ErrBadCredentials = errors.New("bad credentials")
	// ErrTooManyFailures: too many logins from the client's address or network have failed
	// lately. The password was not checked. POP3 answers [SYS/TEMP].
	ErrTooManyFailures = errors.New("too many failed logins")
	// ErrBusy: too many logins wait for a password hash. The password was not checked. POP3
	// answers [SYS/TEMP].
	ErrBusy = errors.New("too many logins at once")
)

// Errors of administration.
var (
	// ErrExists: the domain or account to be added exists already.
	ErrExists = errors.New("already exists")
	// ErrNoSuchAccount: no live account has this address.
	ErrNoSuchAccount = errors.New("no such account")
	// ErrNoChoice: the domain has no bounds of retentions, so its users do not choose their own.
	ErrNoChoice = errors.New("the domain leaves no choice of the retention to its users")
	// ErrNoSuchDomain: the domain is not hosted here.
	ErrNoSuchDomain = errors.New("no such domain")
	// ErrNoSuchAlias: no live alias, or no live group, has this address.
	ErrNoSuchAlias = errors.New("no such alias or group")
	// ErrBadTarget: a target of an alias, a group or a domain cannot be used: it does not exist, or
	// leads back.
	ErrBadTarget = errors.New("target cannot be used")
	// ErrDomainNotEmpty: the domain still has live accounts, aliases or groups.
	ErrDomainNotEmpty = errors.New("domain still has accounts, aliases or groups")
	// ErrDomainInUse: other domains stand for the domain.
	ErrDomainInUse = errors.New("other domains stand for the domain")
	// ErrNoBulk: the store has no bulk mailboxes, because large mailboxes cost the store nothing.
	ErrNoBulk = errors.New("the storage engine has no bulk mailboxes, and needs none")
	// ErrBadPassword: the new password is empty, over MaxPassword octets, not UTF-8, or has control
	// characters, which no POP3 client could send.
	ErrBadPassword = errors.New("password cannot be used")
	// ErrWeakPassword: the new password is shorter than Config.MinPasswordLength.
	ErrWeakPassword = errors.New("password too short")
)
