// Package app wires a server together: it opens the storage engine, makes the directory, the
// protocol servers, the admin API and the background work from one config.Config, and starts
// and stops them in the right order. It is the only package that knows every engine, and
// where the configuration is turned into each package's own Config.
//
//	New    opens the store; nothing listens yet, but accounts can be made
//	Start  listens on everything configured, or on nothing if one address fails
//	Stop   graceful, until its context ends; then by force
//
// Beside that it holds what needs an engine but no server: SchemaApply, SchemaStatus and
// SchemaText, for the command "popelago schema", and Doctor, which Start uses too.
package app
