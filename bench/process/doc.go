// Package process runs servers under test, and the load generator beside them, as processes
// of their own. The commands that compare servers share it: comparedovecot and
// comparecassandra.
package process
