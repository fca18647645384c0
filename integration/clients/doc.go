// Package clients holds the tests of the whole server with real mail programs, on every storage
// engine. The package has only tests. Without its mail program a test is skipped, and with CI=true it
// fails.
package clients
