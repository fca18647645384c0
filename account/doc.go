// Package account is the directory: hosted domains, their accounts and passwords, which
// mailbox an address leads to, and whether a login and password belong together.
//
// Callers: delivery asks Resolve for each RCPT, and Ended before the reply. The POP3 server asks
// SignIn, and LeastRetention before a login. admin adds, changes and removes domains and accounts.
// task asks for the mailboxes of removed accounts, makes mailboxes bulk, and renews the least
// retention, which app reads at the start. A store.Directory keeps all data; this package holds bounded
// caches, the queue of password hashes and the memory of failed logins.
//
// # Generations
//
// An address may be removed and made again. Each life is a row of its own, a generation, and
// has a mailbox of its own (mail.DeriveMailboxID): nobody ever reads mail of an earlier
// owner. The account is the newest generation that is not removed. A generation is named by
// the id of the removal that it follows; zero names the first.
//
// # Caches
//
// Address rows found are cached for Config.CacheTTL; changes made through this Directory
// count at once, changes made by other processes after that time. Only good news comes from
// that cache: before anybody hears "no such recipient", "disabled" or "bad credentials" the
// row is read again, and then the other datacenters are asked (readElsewhere).
//
// Verified passwords are cached for Config.CredentialTTL after their last use, so that a
// program polling every minute does not pay for argon2id each time. The key is an HMAC, under a
// random key of this process, of the address, its generation, the stored hash and the password:
// a changed password or a new generation makes another key, and nothing in memory tells a
// password.
//
// # Sameness
//
// An unknown login, a wrong password and an address without password all cost one read and
// one password hash, and return ErrBadCredentials. (The same wrong password from the same
// address, tried again, costs no hash, whether or not there is such an account.) ErrDisabled is returned only to
// who knows the password. (Hashes imported in another form than argon2id cost what they
// cost; set the password anew to level that.)
//
// # Strangers
//
// Hashes are computed a few at one time; the logins that wait for a hash form a bounded queue
// which is fair between networks. Failed logins are remembered by address, network and account,
// and hold back further logins from there, but never the right password of an account from an
// address where the account has just logged in. See queue and penalties.
//
// # Faults
//
// A storage error is returned wrapped, with the class that package store gave it. It is
// never turned into "no such recipient" or "bad credentials".
package account
