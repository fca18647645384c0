// Package clients holds the tests of the whole server with real mail programs, on every storage
// engine. It has no code of its own. A mail program that is not installed skips its tests, and
// fails them where CI=true.
package clients
