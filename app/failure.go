package app

import (
	"errors"

	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/embedded"
)

// The errors of New, Start, Check, Doctor and the functions of the schema, for programs that decide by
// the kind of an error. Other errors have no kind.
var (
	// ErrSchemaNotApplied: the schema is missing or from an older release.
	ErrSchemaNotApplied = errors.New("the schema must be applied first")
	// ErrSchemaNewer: the schema is from a newer release.
	ErrSchemaNewer = errors.New("the schema is newer than this program")
	// ErrSchemaLayout: the schema is from before the first release.
	ErrSchemaLayout = cassandra.ErrSchemaLayout
	// ErrSchemaUnfinished: applying the schema again continues from the failure.
	ErrSchemaUnfinished = cassandra.ErrSchemaUnfinished
	// ErrNodesDown: nodes are down, and the schema is unchanged.
	ErrNodesDown = cassandra.ErrNodesDown
	// ErrMixedReleases: the nodes run different releases of Cassandra, and the schema is unchanged.
	ErrMixedReleases = cassandra.ErrMixedReleases
	// ErrOtherProduct: the cluster is not Apache Cassandra, and nothing was changed.
	ErrOtherProduct = cassandra.ErrOtherProduct
	// ErrNotAllowed: the user of the cluster lacks permissions.
	ErrNotAllowed = cassandra.ErrNotAllowed
	// ErrNewerFormat: a newer release wrote the data folder.
	ErrNewerFormat = embedded.ErrNewerFormat
	// ErrLocked: another process uses the data folder.
	ErrLocked = embedded.ErrLocked
	// ErrFull: the disk is full. ErrFull is a kind of ErrUnavailable.
	ErrFull = store.ErrFull
	// ErrUnavailable: the storage cannot be used now.
	ErrUnavailable = store.ErrUnavailable
	// ErrListen: the operating system refuses an address to listen on.
	ErrListen = errors.New("cannot listen")
)

// SettingError reports a setting, or a file that a setting names, that cannot be used.
type SettingError struct{ Err error }

// Error names the setting.
func (e *SettingError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *SettingError) Unwrap() error { return e.Err }

// asSetting makes a SettingError of an error. Nil stays nil.
func asSetting(err error) error {
	if err == nil {
		return nil
	}
	return &SettingError{err}
}
