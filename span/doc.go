// Package span times the work on messages, sessions, statements and jobs for OpenTelemetry.
//
// A span is a piece of work with a name, a duration, and facts such as ids, sizes and results. Spans of nested
// work form a tree: Start finds the span around in its context. A span has no password, no content of a message,
// and no address of a user or a client.
//
// Programs built with the tag "otel" export spans by OTLP/HTTP, see Setup. All other programs contain no code
// of OpenTelemetry, and the functions of this package do nothing: the compiler removes their calls.
//
// All functions and methods are safe for concurrent use. Imported by: the servers, the engines, task, and
// cmd/popelago.
package span
