package cassandra

import (
	"context"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// trashList names the list of datacenters that may have trash, in the table mark. Its rows do not expire, and
// no row is removed: every write adds a name, so servers that write at the same time lose none.
const trashList = "trash"

// trashDatacenters lists all datacenters that may have trash: the datacenters of the keyspace, the local
// datacenter, datacenters written off, and datacenters that any server has noted, see noteDatacenters. A
// datacenter that was taken out of the keyspace keeps its trash, also before another datacenter writes it off.
func trashDatacenters(ctx context.Context, run *runner, cfg Config, reads gocql.Consistency) ([]string, error) {
	list, err := presentDatacenters(ctx, run, cfg)
	if err != nil {
		return nil, err
	}
	noted, err := notedDatacenters(ctx, run, reads)
	if err != nil {
		return nil, err
	}
	list = append(list, noted...)
	slices.Sort(list)
	return slices.Compact(list), nil
}

// presentDatacenters lists the datacenters that the keyspace and the settings of this server name.
func presentDatacenters(ctx context.Context, run *runner, cfg Config) ([]string, error) {
	var replication map[string]string
	if _, err := run.readOne(ctx, statement{
		cql: selectReplication, values: []any{cfg.Keyspace}, consistency: gocql.LocalOne, what: "read the replication",
	}, &replication); err != nil {
		return nil, err
	}
	list := slices.Concat(cfg.sweptDatacenters(), sortedKeys(replication))
	list = slices.DeleteFunc(list, func(name string) bool { return name == "class" })
	slices.Sort(list)
	return slices.Compact(list), nil
}

// notedDatacenters lists the datacenters that servers have noted.
func notedDatacenters(ctx context.Context, run *runner, reads gocql.Consistency) (list []string, err error) {
	err = run.readAll(ctx, statement{
		cql: listMarks, values: []any{[]byte(trashList)}, consistency: reads, what: "read the datacenters with trash",
	}, 100, func(scan func(...any) error) error {
		var name, id []byte
		var at int64
		err := scan(&name, &at, &id)
		list = append(list, string(name))
		return err
	})
	return list, err
}

// noteDatacenters notes the datacenters that the keyspace and the settings name, each once.
func (r *trashRun) noteDatacenters(ctx context.Context) error {
	list, err := presentDatacenters(ctx, r.run, r.cfg)
	if err != nil {
		return err
	}
	isNoted := func(name string) bool { return slices.Contains(r.state.noted, name) }
	if list = slices.DeleteFunc(list, isNoted); len(list) == 0 {
		return nil
	}
	if r.state.noted, err = notedDatacenters(ctx, r.run, gocql.LocalQuorum); err != nil {
		return err
	}
	for _, name := range slices.DeleteFunc(list, isNoted) {
		at := micros(r.now)
		if err := r.run.exec(ctx, statement{
			cql: noteTrash, values: []any{[]byte(trashList), []byte(name), at, at}, consistency: gocql.LocalQuorum,
			what: "note that datacenter " + name + " may have trash",
		}); err != nil {
			return err
		}
		r.state.noted = append(r.state.noted, name)
	}
	return nil
}
