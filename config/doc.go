// Package config holds the settings of a server: one TOML file, environment variables over
// it, defaults under it.
//
// cmd/popelago loads a Config and may Set some of it from its flags; app turns it into the
// Config of each package. Values are checked here, all of them, before anything starts:
//
//	popelago.toml:12: pop3.idle_timeout: "1m" is too short: at least 10m (RFC 1939 section 3)
//
// Everything a setting is stands once, in the table of settings.go: its key, where it is
// kept, what it takes and what it is for. Reading, checking, the environment and the
// reference (Describe, DescribeMarkdown) go by that table.
//
// # Environment
//
// POPELAGO_SECTION_KEY overrides section.key, as POPELAGO_POP3_LISTEN does pop3.listen and
// POPELAGO_HOSTNAME does hostname. A variable that starts with POPELAGO_ and names nothing
// is an error, but for POPELAGO_BENCH_PASSWORD, which belongs to the load generator.
//
// # Paths
//
// A relative path is relative to the folder of the configuration file; without a file, or
// when it comes from the environment, to the working folder.
package config
