// Package account is the directory: hosted domains, their accounts, passwords and mailboxes.
//
// Callers: delivery asks Resolve for each RCPT, and Ended before the reply. The POP3 server asks
// SignIn, and LeastRetention before a login. admin adds, changes and removes domains and accounts.
// task asks for the mailboxes of removed accounts and judges generations, makes mailboxes bulk, and
// renews the least retention, which app reads at the start. A store.Directory keeps all data; this package holds bounded
// caches, the queue of password hashes and the memory of failed logins.
//
// # Generations
//
// An address may be removed and made again. Each time is a row of its own, a generation, and
// has a mailbox of its own (mail.DeriveMailboxID): nobody ever reads mail of an earlier
// owner. The account is the newest generation that is not removed: the function Generations is the
// only place of this rule. A generation is named by the id of the removal that the generation
// follows; zero names the first.
//
// A renamed account keeps its mailbox: the row of the new address names the origin of the mailbox, and the old row
// is marked as moved. See Rename and Shared, and docs/decisions/0022-rename-keeps-the-mailbox.md.
//
// # Caches
//
// Address rows found are cached for Config.CacheTTL; changes made through this Directory
// count at once, changes made by other processes after CacheTTL. The cache gives positive answers
// only: before a client gets "no such recipient", "disabled" or "bad credentials" the directory reads
// the row again, here and then in the other datacenters (readElsewhere).
//
// Verified passwords are cached for Config.CredentialTTL after their last use, so that a
// program polling every minute does not pay for argon2id each time. The key is an HMAC, under a
// random key of this process, of the address, its generation, the stored hash and the password:
// a changed password or a new generation has a different key, and the keys do not reveal the
// passwords.
//
// # Sameness
//
// An unknown login, a wrong password and an address without password all cost one read and
// one password hash, and return ErrBadCredentials. (The same wrong password from the same
// address, tried again, costs no hash, whether or not the account exists.) ErrDisabled is returned only
// after the right password. (Hashes imported in a form other than argon2id take a time of their own; a
// new password ends the difference.)
//
// # Strangers
//
// Hashes are computed a few at one time; the logins that wait for a hash form a bounded queue
// which is fair between networks. Failed logins are remembered by address, network and account,
// and delay further logins from the same places, but never the right password of an account from an
// address where the account has just logged in. See queue and penalties.
//
// # Faults
//
// A storage error is returned wrapped, with its class of package store. A storage error never becomes
// "no such recipient" or "bad credentials".
package account
