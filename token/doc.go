// Package token makes and judges the access tokens of the administration API: their secrets, the
// rights of a token, expiry and revocation.
//
// admin asks Keeper.Check for each request that carries a secret, and Keeper.Add, List and Revoke for
// the operations about tokens. A store.Directory keeps the tokens, which are few enough to be listed
// whole.
//
// # Secrets
//
// A secret has the form
//
//	popelago_ + 52 letters and digits + 7 letters and digits
//
// The 52 characters are 256 random bits in base32 (a-z, 2-7), the last 7 a CRC-32C of everything in
// front of them. The fixed prefix lets scanners for leaked secrets find a token in a text, and the
// checksum tells a mistyped or shortened token from an unknown token without a question to the store.
//
// The store has the SHA-256 hash of a secret alone. A slow hash, such as argon2id for passwords, makes
// guesses expensive where people choose the secret. Nobody can guess 256 random bits, whatever the cost
// of a guess, and every request would pay for the hash. The id of a token comes from the hash: so the
// holder of a secret, found in a log or a repository, can name the token to revoke (IDOf).
//
// # Revocation
//
// A revocation is a mark that is set once and never removed (store.Tokens): no clock, repetition or
// order of arrival brings a revoked token back. Every server reads the list of tokens again when its
// copy is older than Config.CacheTTL. While the store cannot be read, known tokens count for
// Config.Stale more, and then every check fails with store.ErrUnavailable. A token missing from the
// copy is looked for in the store, and in the other datacenters, before ErrUnknown. So a fault is never
// an answer about a token.
//
// # Concurrency
//
// A Keeper is safe for concurrent use. Checks that need the store share one read in flight. Notes of
// uses are written beside the requests; Close waits for them.
package token
