package app

import (
	"context"
	"errors"

	"popelago/config"
	"popelago/store/cassandra"
)

// SchemaState has the version of the schema of a cluster, and the version that this program needs.
type SchemaState = cassandra.SchemaStatus

// errNoSchema: the configured engine has no schema.
var errNoSchema error = &SettingError{errors.New(`store.engine is "embedded", which has no schema: only store.engine = "cassandra" needs one`)}

// SchemaOptions are options of SchemaApply.
type SchemaOptions = cassandra.ApplyOptions

// SchemaApply makes the keyspace and the tables, or brings them up to date, and returns the states
// before and after. Two processes must not run SchemaApply at the same time. No stored data is lost.
//
// Errors: ErrSchemaNewer, ErrSchemaLayout, ErrSchemaUnfinished, ErrNodesDown, ErrMixedReleases, ErrOtherProduct, ErrNotAllowed, ErrUnavailable,
// a SettingError.
func SchemaApply(ctx context.Context, cfg config.Config, o SchemaOptions) (before, after SchemaState, err error) {
	engine, err := schemaConfig(cfg)
	if err != nil {
		return before, after, err
	}
	if before, err = cassandra.ApplyWith(ctx, engine, o); err != nil {
		return before, after, explainCassandra(err)
	}
	after, err = cassandra.Status(ctx, engine)
	return before, after, explainCassandra(err)
}

// SchemaStatus reads the state of the schema, for CheckSchema.
func SchemaStatus(ctx context.Context, cfg config.Config) (SchemaState, error) {
	engine, err := schemaConfig(cfg)
	if err != nil {
		return SchemaState{}, err
	}
	state, err := cassandra.Status(ctx, engine)
	return state, explainCassandra(err)
}

// CheckSchema returns nil if a server can start with the schema. Errors: ErrSchemaNotApplied,
// ErrSchemaNewer.
func CheckSchema(state SchemaState) error { return explainCassandra(state.Check()) }

// SchemaText returns all statements that SchemaApply executes on an empty cluster. SchemaText needs no
// cluster.
func SchemaText(cfg config.Config) (string, error) {
	if cfg.Store.Engine != config.EngineCassandra {
		return "", errNoSchema
	}
	c := cfg.Cassandra
	text, err := cassandra.Schema(cassandra.Config{
		Hosts: c.Hosts, Datacenter: c.Datacenter, Keyspace: c.Keyspace, Replication: c.Replication,
	})
	return text, explainCassandra(err)
}

// schemaConfig returns the Config of the engine without the parts of a running server.
func schemaConfig(cfg config.Config) (cassandra.Config, error) {
	if cfg.Store.Engine != config.EngineCassandra {
		return cassandra.Config{}, errNoSchema
	}
	return cassandraConfig(cfg, quiet())
}
