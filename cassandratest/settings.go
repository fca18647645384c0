package cassandratest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings is the cassandra.yaml of a node: small buffers, and no waiting for nodes outside this
// cluster.
func (n *Node) settings(seeds string, replication int) map[string]string {
	in := func(name string) string { return filepath.Join(n.dir, name) }
	return map[string]string{
		"cluster_name":               "popelago",
		"partitioner":                "org.apache.cassandra.dht.Murmur3Partitioner",
		"endpoint_snitch":            "GossipingPropertyFileSnitch",
		"seed_provider":              seedProvider(seeds),
		"auto_bootstrap":             "false", // a fresh cluster has nothing to stream
		"num_tokens":                 "8",
		"listen_address":             n.Address,
		"rpc_address":                n.Address,
		"storage_port":               "7000",
		"native_transport_port":      cqlPort,
		"authenticator":              "AllowAllAuthenticator",
		"authorizer":                 "AllowAllAuthorizer",
		"data_file_directories":      "[" + in("data") + "]",
		"commitlog_directory":        in("commitlog"),
		"saved_caches_directory":     in("saved_caches"),
		"hints_directory":            in("hints"),
		"cdc_raw_directory":          in("cdc_raw"),
		"commitlog_sync":             "batch", // periodic loses seconds of acknowledged writes in a kill
		"commitlog_segment_size":     "16MiB",
		"commitlog_total_space":      "256MiB",
		"memtable_heap_space":        "96MiB",
		"memtable_offheap_space":     "96MiB",
		"key_cache_size":             "8MiB",
		"file_cache_size":            "32MiB",
		"networking_cache_size":      "32MiB",
		"concurrent_reads":           "16",
		"concurrent_writes":          "16",
		"concurrent_compactors":      "1",
		"read_request_timeout":       "5000ms",
		"write_request_timeout":      "2000ms",
		"hinted_handoff_enabled":     "true",
		"auto_snapshot":              "false",
		"disk_optimization_strategy": "ssd",
		"allocate_tokens_for_local_replication_factor": fmt.Sprint(replication),
	}
}

// overrides returns the settings in place of those of the package.
func (o Options) overrides() map[string]string {
	s := map[string]string{}
	if o.Brief {
		// A node compares the latencies of its peers every 100 ms by default, also while it is idle.
		s["dynamic_snitch_update_interval"] = "1000ms"
	}
	if o.Patient {
		for _, what := range []string{"read_request", "range_request", "write_request", "request", "truncate_request"} {
			s[what+"_timeout"] = "1m"
		}
		if !strings.HasPrefix(o.Version, "4.") {
			s["native_transport_timeout"] = "2m" // from the arrival of a statement on; 12 seconds by default
		}
	}
	maps.Copy(s, o.Settings)
	return s
}

// seedProvider names the nodes, by commas, that a node asks for the others.
func seedProvider(seeds string) string {
	return `[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "` + seeds + `"}]}]`
}

const logback = `<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>%s</file>
    <encoder><pattern>%%-5level [%%thread] %%date{ISO8601} %%logger{0} %%msg%%n%%ex{8}</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="FILE"/></root>
</configuration>
`

// quietLogback is the file for programs without a log.
const quietLogback = "logback-quiet.xml"

// firstOption is the first of the options of Java.
const firstOption = "-ea"

// jmxPort is the argument of a node that names its port for nodetool.
const jmxPort = "-Dcassandra.jmx.local.port="

// writeSettings fills the folder of a node.
func (n *Node) writeSettings(seeds string, replication int, over map[string]string) error {
	yaml := n.settings(seeds, replication)
	maps.Copy(yaml, over)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(yaml)) {
		if yaml[key] != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, yaml[key])
		}
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"cassandra.yaml":              b.String(),
		"cassandra-rackdc.properties": fmt.Sprintf("dc=%s\nrack=%s\n", n.Datacenter, n.Rack),
		"logback.xml":                 fmt.Sprintf(logback, n.LogFile()),
		quietLogback:                  `<configuration><root level="OFF"/></configuration>`,
	} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ChangeSettings changes some settings of a node, by name and as YAML. They count from its next
// start on.
func (n *Node) ChangeSettings(settings map[string]string) error {
	_, err := n.rewriteSettings(func(yaml string) string { return changed(yaml, settings) })
	return err
}

// rewriteSettings changes the settings of a node until restore has put back the old ones.
func (n *Node) rewriteSettings(change func(yaml string) string) (restore func() error, err error) {
	path := filepath.Join(n.dir, "cassandra.yaml")
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	write := func(text []byte) error { return os.WriteFile(path, text, 0o644) }
	return func() error { return write(before) }, write([]byte(change(string(before))))
}

// changed is the text of settings with some of them changed in their places, or added.
func changed(yaml string, settings map[string]string) string {
	left := maps.Clone(settings)
	var b strings.Builder
	for line := range strings.Lines(yaml) {
		name, _, _ := strings.Cut(line, ":")
		if value, ok := settings[name]; ok {
			line = name + ": " + value + "\n"
			delete(left, name)
		}
		b.WriteString(line)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		b.WriteString(name + ": " + left[name] + "\n")
	}
	return b.String()
}

// arguments is the command line of a node, without the program. The node listens for nodetool on a
// port of its loopback address, without a password; 0 is any port.
func (n *Node) arguments(lib string, o Options, jmx int) []string {
	in := func(name string) string { return "file://" + filepath.Join(n.dir, name) }
	args := []string{
		firstOption, "-Xss256k", "-Xms" + o.Heap, "-Xmx" + o.Heap, "-XX:MaxDirectMemorySize=256M",
		"-XX:+UseG1GC", "-XX:MaxGCPauseMillis=300", "-XX:+ParallelRefProcEnabled", "-XX:+PerfDisableSharedMem",
		"-XX:+CrashOnOutOfMemoryError", "-XX:ErrorFile=" + filepath.Join(n.dir, "crash.log"),
		"-Djava.net.preferIPv4Stack=true",
		"-Djava.security.manager=allow", // 4.1 sets a security manager
		"-Dio.netty.tryReflectionSetAccessible=true",
		"-Djdk.attach.allowAttachSelf=true",
		jmxPort + fmt.Sprint(jmx),
		"-Dcassandra.superuser_setup_delay_ms=0",
		"-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4", // a sign-in takes no time
		"-Dcassandra.skip_wait_for_gossip_to_settle=0",
		fmt.Sprintf("-Dcassandra.ring_delay_ms=%d", o.RingDelay.Milliseconds()),
		"-Dcassandra.schema_delay_ms=600000", // a node on a busy machine may wait for the schema of its peers longer than 30 s
		"-Dcassandra-foreground=yes",
		"-Dcassandra.config=" + in("cassandra.yaml"),
		"-Dcassandra-rackdc.properties=" + in("cassandra-rackdc.properties"),
		"-Dlogback.configurationFile=" + in("logback.xml"),
		"-Dcassandra.storagedir=" + n.dir,
		"-Dcassandra.logdir=" + n.dir,
	}
	if o.Brief {
		// A thread reads the clock every 2 ms by default, which is most of the work of an idle node.
		args = append(args, "-XX:TieredStopAtLevel=1", "-Dcassandra.approximate_time_precision_ms=50")
	}
	if o.Unkilled {
		args = append(args, "-Dcassandra.test.flush_local_schema_changes=false")
	}
	for _, name := range exported {
		args = append(args, "--add-exports="+name+"=ALL-UNNAMED")
	}
	for _, name := range opened {
		args = append(args, "--add-opens="+name+"=ALL-UNNAMED")
	}
	// 4.1 cannot measure its objects on Java 17 without.
	if agent, _ := filepath.Glob(filepath.Join(lib, "jamm-*.jar")); len(agent) == 1 {
		args = append(args, "-javaagent:"+agent[0])
	}
	return append(args, "-cp", n.dir+":"+filepath.Join(lib, "*"), "org.apache.cassandra.service.CassandraDaemon")
}

// Packages that Java 17 must open to Cassandra: from jvm17-server.options of its distribution.
var (
	exported = []string{
		"java.base/java.lang.ref", "java.base/java.lang.reflect", "java.base/jdk.internal.misc",
		"java.base/jdk.internal.ref", "java.base/sun.nio.ch",
		"java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry",
		"java.rmi/sun.rmi.server", "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql",
		"jdk.unsupported/sun.misc",
	}
	opened = []string{
		"java.base/java.io", "java.base/java.lang", "java.base/java.lang.module",
		"java.base/java.lang.reflect", "java.base/java.nio", "java.base/java.util",
		"java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic",
		"java.base/jdk.internal.loader", "java.base/jdk.internal.math",
		"java.base/jdk.internal.module", "java.base/jdk.internal.ref",
		"java.base/jdk.internal.reflect", "java.base/jdk.internal.util.jar",
		"java.base/sun.nio.ch", "java.rmi/sun.rmi.transport.tcp",
		"jdk.management/com.sun.management.internal",
	}
)
