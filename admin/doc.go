// Package admin serves the administration API: JSON over HTTP. The OpenAPI document at
// /openapi.json (docs/openapi.json) describes the API; package adminclient has its types and its
// client.
//
// app serves the handler on a unix socket in the data folder, where the file system controls
// access, and optionally over TCP, where a bearer token does (RFC 6750). /healthz needs no token.
//
// right.go declares the right that each operation needs: a role, and the domains that a request
// touches. register compares the right with the caller, and logs each change with the caller.
//
// All changes go through an account.Directory and a store.Store, so a change counts at once in this
// process. Errors are problem details (RFC 9457) with a status from errors.go; the cause of a fault
// is logged and not sent. Passwords arrive in request bodies only, and are neither logged nor sent
// back.
package admin
