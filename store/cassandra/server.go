package cassandra

import (
	"cmp"
	"context"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// Servers implements store.Upkeep, from the heartbeats in all datacenters.
func (e *engine) Servers(ctx context.Context) (all []store.Server, err error) {
	for _, datacenter := range e.heartbeat.datacenters {
		st := statement{cql: listServers, values: []any{datacenter}, consistency: gocql.LocalQuorum, what: "list the servers"}
		err := e.runner.readAll(ctx, st, 1000, func(scan func(...any) error) error {
			var id gocql.UUID
			var texts [3]string // name, address, version
			var started, clock *int64
			if err := scan(&id, &texts[0], &texts[1], &texts[2], &started, &clock); err != nil {
				return err
			}
			for i := range texts {
				var err error
				if texts[i], err = decodeText(texts[i]); err != nil {
					return err
				}
			}
			all = append(all, store.Server{
				Name: texts[0], Datacenter: datacenter, Address: texts[1], Version: texts[2],
				Started: moment(started), Clock: moment(clock), Own: id == e.heartbeat.peers.own,
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b store.Server) int {
		return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Name, b.Name), a.Started.Compare(b.Started))
	})
	return all, nil
}
