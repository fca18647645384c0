package cassandra

import (
	"context"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// examineWindows looks whether all servers that are alive have one window, and this configuration
// the same.
func examineWindows(ctx context.Context, cfg Config, datacenters []string) Finding {
	session, err := cfg.connect(ctx, nil)
	if err != nil {
		return failedCheck("window", "connecting", err)
	}
	defer endSession(session)
	servers := []peerNote{{name: "this configuration", datacenter: cfg.Datacenter, window: cfg.Window.Truncate(time.Microsecond)}}
	for _, datacenter := range datacenters {
		rows := session.Query(selectServers, datacenter).Consistency(gocql.LocalQuorum).Idempotent(true).IterContext(ctx)
		var row serverRow
		for row.scan(rows.Scan) {
			if t, err := row.told(datacenter); err == nil {
				servers = append(servers, t)
			}
		}
		if err := rows.Close(); err != nil {
			return failedCheck("window", "reading what the servers say of themselves", err)
		}
	}
	return judgeWindows(servers)
}

// judgeWindows looks whether servers have one window. The first one stands for the configuration.
func judgeWindows(servers []peerNote) Finding {
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
