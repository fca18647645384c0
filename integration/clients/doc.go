// Package clients holds the tests of the whole server with real mail programs and a web browser, on every
// storage engine. The package has only tests. Without its program a test is skipped, and with CI=true it
// fails.
package clients
