// Package admin serves the administration API: JSON over HTTP, described by an OpenAPI
// document at /openapi.json, with its types and its client in package adminclient.
//
// app serves the handler on a unix socket in the data folder, where the file system says who
// may connect, and if configured over TCP, where a bearer token does (RFC 6750). /healthz
// needs no token.
//
// Everything is done by an account.Directory and a store.Store, so a change counts at once
// in this process. Errors are problem details (RFC 9457) with the status that errors.go
// gives them; the cause of a fault is logged here and not told. Passwords come in by request
// bodies only, and are neither logged nor sent back.
package admin
