// Package config holds the settings of a server: one TOML file, environment variables over
// the file, defaults under it.
//
// cmd/popelago loads a Config, and sets some settings from its flags. A Config contains the Config of
// each package that has settings: app adds clocks, loggers and the like, and passes them on. Package
// config checks all values before anything starts:
//
//	popelago.toml:12: pop3.idle_timeout: "1m" is too short: at least 10m (RFC 1939 section 3)
//
// A setting has three places: the field in the Config of its package, the default in DefaultConfig
// of that package, and a line of the table in settings.go with key, range and help. Settings that
// only the wiring needs have field and default here. Reading, checking, the environment and the
// reference (Describe, DescribeMarkdown) use the table.
//
// # Environment
//
// POPELAGO_SECTION_KEY overrides section.key, as POPELAGO_POP3_LISTEN does pop3.listen and
// POPELAGO_HOSTNAME does hostname. A variable that starts with POPELAGO_ and names no setting
// is an error, except POPELAGO_BENCH_PASSWORD, which belongs to the load generator.
//
// # Paths
//
// A relative path is relative to the folder of the configuration file; without a file, or
// from the environment, to the working folder.
package config
