package cassandratest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// archive returns the file of Java's archive of classes for a version of Cassandra, or "". With the archive a
// node starts with a fifth less work. The first call for a Java and a folder of jars makes the archive from a
// node of its own, in half a minute. Processes that call it at once wait for each other. After a failure an
// empty file in place of the archive prevents further attempts.
func archive(ctx context.Context, java, lib string, o Options) string {
	program, err := filepath.EvalSymlinks(java)
	if err != nil {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	key := sha256.Sum256(fmt.Append(nil, program, info.Size(), info.ModTime()))
	final := fmt.Sprintf("%s-%x.jsa", lib, key[:4])
	if _, err := os.Stat(final); err != nil {
		unlock, err := lockFile(final+".lock", true)
		if err != nil {
			return ""
		}
		defer unlock()
	}
	if _, err := os.Stat(final); err != nil { // no faster process has made the file
		o.Log("a node starts once to make an archive of its classes, for all later starts")
		if err := makeArchive(ctx, java, lib, final, o.Version); err != nil {
			o.Log("no archive of classes: " + err.Error())
			if ctx.Err() == nil {
				_ = os.WriteFile(final, nil, 0o644) // or the next start tries again
			}
		}
	}
	if info, err := os.Stat(final); err != nil || info.Size() == 0 {
		return ""
	}
	return final
}

// makeArchive runs a node from its start to its orderly end. At the end Java writes the archive.
func makeArchive(ctx context.Context, java, lib, final, version string) error {
	network, release, err := takeNetwork(0)
	if err != nil {
		return err
	}
	defer release()
	dir, err := os.MkdirTemp("", "popelago-classes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	made := final + ".new"
	n := &Node{Name: "dc1-1", Datacenter: "dc1", Rack: "rack1", Address: address(network, 1, 1), dir: dir, java: java}
	n.args = withArchive(n.arguments(lib, Options{Version: version}.withDefaults(), 0), dir, "-XX:ArchiveClassesAtExit="+made)
	// Java writes no archive of classes that an agent may have changed.
	n.args = slices.DeleteFunc(n.args, func(arg string) bool { return strings.HasPrefix(arg, "-javaagent:") })
	if err := n.writeSettings(n.Address, 1, nil); err != nil {
		return err
	}
	defer func() {
		n.Kill()
		os.Remove(made) // a node that has failed leaves an archive of few classes
	}()
	if err := n.Start(ctx); err != nil {
		return err
	}
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	for n.Running() {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return os.Rename(made, final)
}

// withArchive adds an option for an archive of classes to the arguments of a node. An archive allows no folder
// with files among the classes, and a node finds its settings without.
func withArchive(args []string, dir, option string) []string {
	args = slices.Insert(slices.Clone(args), 1, option)
	if i := slices.Index(args, "-cp"); i >= 0 {
		args[i+1] = strings.TrimPrefix(args[i+1], dir+":")
	}
	return args
}
