package app

import (
	"context"
	"errors"

	"popelago/config"
	"popelago/store/cassandra"
)

// SchemaState says which version of the schema a cluster has and which one this program needs.
type SchemaState = cassandra.SchemaStatus

// errNoSchema says that the chosen engine has nothing to apply.
var errNoSchema = errors.New(`store.engine is "embedded", which has no schema: only store.engine = "cassandra" needs one`)

// SchemaOptions says how a schema is applied.
type SchemaOptions = cassandra.ApplyOptions

// SchemaApply makes the keyspace and the tables, or brings them up to date, and returns the
// states before and after. It must not be run by two at once. Nothing that is stored is lost.
//
// Errors: ErrSchemaNewer, ErrSchemaUnfinished, ErrNodesDown, and everything that is wrong with the configuration or the cluster.
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

// SchemaStatus reads the state of the schema. Whether a server could start with it, CheckSchema
// tells.
func SchemaStatus(ctx context.Context, cfg config.Config) (SchemaState, error) {
	engine, err := schemaConfig(cfg)
	if err != nil {
		return SchemaState{}, err
	}
	state, err := cassandra.Status(ctx, engine)
	return state, explainCassandra(err)
}

// CheckSchema returns nil if a server could start with the schema. Errors: ErrSchemaNotApplied,
// ErrSchemaNewer.
func CheckSchema(state SchemaState) error { return explainCassandra(state.Check()) }

// SchemaText is all statements that SchemaApply executes on an empty cluster. It needs none.
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

// schemaConfig is the engine's configuration, without what only a running server has.
func schemaConfig(cfg config.Config) (cassandra.Config, error) {
	if cfg.Store.Engine != config.EngineCassandra {
		return cassandra.Config{}, errNoSchema
	}
	return cassandraConfig(cfg, quiet())
}
