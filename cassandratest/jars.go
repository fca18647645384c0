package cassandratest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pom asks for Cassandra of one version with all its dependencies.
const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>popelago</groupId><artifactId>cassandratest</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.apache.cassandra</groupId><artifactId>cassandra-all</artifactId><version>%s</version>
  </dependency></dependencies>
</project>
`

// ErrMissing names a missing program, and the package that has it.
var ErrMissing = errors.New("cassandratest: a program is missing")

// java finds the Java program: in JAVA_HOME, or else in PATH.
func java() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return filepath.Join(home, "bin", "java"), nil
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("%w: java (on Debian: apt-get install openjdk-17-jre-headless)", ErrMissing)
	}
	return path, nil
}

// jars returns the folder with the jars of a version of Cassandra. The first call fills the folder:
// two seconds to half a minute, 66 MB.
func jars(ctx context.Context, version string) (string, error) {
	return Cached("cassandra-"+version, func(dir string) error { return CopyJars(ctx, fmt.Appendf(nil, pom, version), dir) })
}

// Cached returns a folder with a name, in the folder popelago of the user's cache folder. If the folder is missing, fill
// fills an empty folder, which then becomes the folder with the name. Processes that call Cached at once wait for each other.
func Cached(name string, fill func(dir string) error) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	base := filepath.Join(cache, "popelago")
	final := filepath.Join(base, name)
	if isDir(final) {
		return final, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	unlock, err := lockFile(final+".lock", true)
	if err != nil {
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	defer unlock()
	if isDir(final) { // a faster process has made the folder
		return final, nil
	}
	work, err := os.MkdirTemp(base, "download-")
	if err != nil {
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil { // as a folder of the user
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	if err := fill(work); err != nil {
		return "", err
	}
	if err := os.Rename(work, final); err != nil {
		return "", fmt.Errorf("cassandratest: %w", err)
	}
	return final, nil
}

// CopyJars copies the jars of a Maven project's dependencies into a folder.
func CopyJars(ctx context.Context, pom []byte, dir string) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("%w: mvn (on Debian: apt-get install maven)", ErrMissing)
	}
	project, err := os.MkdirTemp("", "jars-")
	if err != nil {
		return fmt.Errorf("cassandratest: %w", err)
	}
	defer os.RemoveAll(project)
	if err := os.WriteFile(filepath.Join(project, "pom.xml"), pom, 0o644); err != nil {
		return fmt.Errorf("cassandratest: %w", err)
	}
	cmd := exec.CommandContext(ctx, mvn, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	cmd.Dir = project
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cassandratest: fetch jars by Maven: %w\n%s", err, out)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
