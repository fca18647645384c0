package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/app"
	"popelago/config"
)

// schemaLimit bounds the commands of this file. Making a table takes a second or two, on a busy
// cluster more.
const schemaLimit = 15 * time.Minute

// schemaFlags are the flags of "popelago schema".
type schemaFlags struct {
	settingsFlags
	force bool
}

func newSchemaCommand() *cobra.Command {
	var f schemaFlags
	group := newGroup("schema", "Make and upgrade the tables of a Cassandra cluster",
		newSchemaApplyCommand(&f), newSchemaStatusCommand(&f), newSchemaPrintCommand(&f))
	f.addFile(group.PersistentFlags())
	return group
}

func newSchemaApplyCommand(f *schemaFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the keyspace and the tables, or bring them up to date",
		Long: `Make the keyspace with the configured replication, and the tables in it, or bring the tables
up to date. Run the command by hand once, before the first server starts and with each release that
asks for it, from one place at a time. A repetition changes nothing. The replication of an
existing keyspace stays unchanged.

Every node of every datacenter has to be up. If a node is down, the command names it and
changes nothing. Standard error reports each step; if a step fails, a repetition of the
command continues there.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(ctx context.Context, cfg config.Config) error {
				before, after, err := app.SchemaApply(ctx, cfg, app.SchemaOptions{Force: f.force, Progress: func(step string) {
					fmt.Fprintln(cmd.ErrOrStderr(), step)
				}})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), schemaApplied(before, after))
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&f.force, "force", false, "go on although nodes are down; these get the schema when they are back")
	return cmd
}

// schemaApplied describes the effect of "schema apply".
func schemaApplied(before, after app.SchemaState) string {
	switch before.Applied {
	case after.Applied:
		return fmt.Sprintf("nothing to do: keyspace %s has schema version %d", after.Keyspace, after.Applied)
	case 0:
		return fmt.Sprintf("schema version %d applied to keyspace %s, replication %s",
			after.Applied, after.Keyspace, replicationText(after.Replication))
	}
	return fmt.Sprintf("schema of keyspace %s upgraded from version %d to %d", after.Keyspace, before.Applied, after.Applied)
}

func newSchemaStatusCommand(f *schemaFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Print the state of the schema, and fail if a server could not start with it",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(ctx context.Context, cfg config.Config) error {
				state, err := app.SchemaStatus(ctx, cfg)
				if err != nil {
					return err
				}
				if err := printSchemaState(cmd.OutOrStdout(), state); err != nil {
					return err
				}
				return app.CheckSchema(state)
			})
		},
	}
}

func printSchemaState(w io.Writer, state app.SchemaState) error {
	applied, since := "none", "-"
	if state.Applied > 0 {
		applied, since = fmt.Sprintf("version %d", state.Applied), when(state.Since)
	}
	_, err := fmt.Fprintf(w, "keyspace     %s\napplied      %s\nneeded       version %d\nsince        %s\nreplication  %s\n",
		state.Keyspace, applied, state.Known, since, replicationText(state.Replication))
	return err
}

// replicationText is like "dc1 = 3, dc2 = 3".
func replicationText(replication map[string]int) string {
	if len(replication) == 0 {
		return "none"
	}
	var list []string
	for _, datacenter := range slices.Sorted(maps.Keys(replication)) {
		list = append(list, fmt.Sprintf("%s = %d", datacenter, replication[datacenter]))
	}
	return strings.Join(list, ", ")
}

func newSchemaPrintCommand(f *schemaFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "print",
		Short: "Print all statements of the schema, without a cluster",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(_ context.Context, cfg config.Config) error {
				text, err := app.SchemaText(cfg)
				if err != nil {
					return err
				}
				_, err = io.WriteString(cmd.OutOrStdout(), text)
				return err
			})
		},
	}
}

// run calls do with the settings of the flags, and adds the remedy to its error.
func (f *schemaFlags) run(cmd *cobra.Command, do func(context.Context, config.Config) error) error {
	cfg, err := f.load()
	if err != nil {
		return err
	}
	if f.file == "" && cfg.Store.Engine != config.EngineCassandra {
		return &usageError{"--config FILE is missing"}
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), schemaLimit)
	defer cancel()
	return f.adviseSchema(do(ctx, cfg))
}

// adviseSchema adds to an error about the schema the command that helps.
func (f *settingsFlags) adviseSchema(err error) error {
	config := ""
	if f.file != "" {
		config = " --config " + shellWord(f.file)
	}
	switch {
	case errors.Is(err, app.ErrSchemaNotApplied):
		return fmt.Errorf("%w\nTo apply it: popelago schema apply%s", err, config)
	case errors.Is(err, app.ErrSchemaUnfinished):
		return fmt.Errorf("%w\nTo go on, when every node is up (popelago doctor%s): popelago schema apply%s", err, config, config)
	case errors.Is(err, app.ErrNodesDown):
		return fmt.Errorf("%w\nStart these nodes, or take those that will not come back out of the cluster (nodetool removenode), then repeat: popelago schema apply%s\nTo go on without them: popelago schema apply --force%s", err, config, config)
	case errors.Is(err, app.ErrSchemaNewer):
		return fmt.Errorf("%w\nA newer release of popelago is needed. To see what there is: popelago schema status%s", err, config)
	}
	return err
}
