package cassandratest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Nodetool returns a run of Cassandra's nodetool on a node, such as Nodetool(ctx, "status"). The node is
// detached, or was started with Options.Nodetool. The caller sets its output, and runs it.
func (n *Node) Nodetool(ctx context.Context, args ...string) (*exec.Cmd, error) {
	port, classes := "0", ""
	var reach []string // packages that Java must open to Cassandra's classes
	for i, arg := range n.args {
		if strings.HasPrefix(arg, "--add-") {
			reach = append(reach, arg)
		}
		if p, ok := strings.CutPrefix(arg, jmxPort); ok {
			port = p
		}
		if arg == "-cp" {
			classes = strings.TrimPrefix(n.args[i+1], n.dir+":") // without the node's own folder
		}
	}
	if port == "0" || classes == "" {
		return nil, fmt.Errorf("cassandratest: node %s has no port for nodetool: it is neither detached nor started for nodetool, or was started by an older build", n.Name)
	}
	// With a link java runs in a namespace: the command that enters it stands before Java's first
	// option.
	way := n.args[:max(0, slices.Index(n.args, firstOption))]
	line := slices.Concat(way, reach, []string{
		"-Xmx128M", "-Djava.net.preferIPv4Stack=true",
		"-Dlogback.configurationFile=file://" + filepath.Join(n.dir, quietLogback),
		"-Dcassandra.storagedir=" + n.dir,
		"-cp", classes, "org.apache.cassandra.tools.NodeTool", "-h", "127.0.0.1", "-p", port,
	}, args)
	cmd := exec.CommandContext(ctx, n.java, line...)
	cmd.Env = slices.DeleteFunc(cmd.Environ(), func(s string) bool { return strings.HasPrefix(s, "JAVA_TOOL_OPTIONS=") })
	return cmd, nil
}
