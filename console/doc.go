// Package console serves web pages for administrators: the console, a face of the administration API.
//
// app mounts New at /console/ of the admin listener. Every page asks the API in process, with the token
// of its administrator: permissions, scopes, If-Match, limits for wrong tokens and log lines are those of
// the API, in one place. The console does nothing that a client of the API cannot do.
//
// Promises:
//   - Pages work without JavaScript. The live figures of the status page need JavaScript.
//   - Pages load nothing from other hosts, and hold no inline script or style: headers.go states the
//     Content-Security-Policy. html/template escapes every text, since names and mail come from strangers.
//   - A session is a sealed cookie (session.go): the server keeps no list of sessions, and a restart or
//     another server with the same secret continues a session.
//   - A request that changes something comes from a page of the console: SameSite cookies, and
//     http.CrossOriginProtection.
package console
