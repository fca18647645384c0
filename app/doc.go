// Package app wires a server together: it opens the storage engine, makes the directory, the protocol
// servers, the admin API and the background work from one config.Config, and starts and stops them
// in the right order. App is the only package that knows every engine. It completes the Config of
// each package in a config.Config with clocks, loggers, metrics and the like.
//
//	New    opens the store; nothing listens yet, but accounts can be made
//	Start  listens on everything configured, or on nothing if one address fails
//	Stop   graceful, until its context ends; then by force
//
// The package also has the functions that need an engine but no server: SchemaApply, SchemaStatus and
// SchemaText, for the command "popelago schema", and Doctor, which Start uses too.
package app
