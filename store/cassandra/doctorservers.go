package cassandra

import (
	"context"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// examineWindows checks whether all servers that are alive, and this configuration, have the same window.
func examineWindows(ctx context.Context, cfg Config, datacenters []string) Finding {
	session, err := cfg.connect(ctx, nil)
	if err != nil {
		return failedCheck("window", "connecting", err)
	}
	defer endSession(session)
	servers := []serverWindow{{name: "this configuration", datacenter: cfg.Datacenter, window: cfg.Window.Truncate(time.Microsecond)}}
	for _, datacenter := range datacenters {
		var row serverRow
		all := driver.Statement{CQL: selectServers, Values: []any{datacenter}, Consistency: gocql.LocalQuorum}
		err := driver.Each(ctx, session, all, func() {
			if t, err := row.windowOf(datacenter); err == nil {
				servers = append(servers, t)
			}
			row = serverRow{}
		}, row.columns()...)
		if err != nil {
			return failedCheck("window", "reading the heartbeats of the servers", err)
		}
	}
	return judgeWindows(servers)
}

// judgeWindows checks whether servers have the same window. The first entry is the configuration.
func judgeWindows(servers []serverWindow) Finding {
	windows, text := describeWindows(servers)
	if windows > 1 {
		return Finding{
			Level: FindingError, Check: "window", Text: text + ": background work waits until they agree",
			Hint: "set cassandra.window alike on all servers of the cluster, and restart them one by one",
		}
	}
	return Finding{
		Level: FindingOK, Check: "window",
		Text: "cassandra.window is " + servers[0].window.String() + ", and nothing else on " + count(len(servers)-1, "running server"),
	}
}
