package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"popelago/bench/process"
	"popelago/cassandratest"
)

// jamesVersion is the release of James.
const jamesVersion = "3.9.0"

// oldestJava is the oldest Java that runs James.
const oldestJava = 21

// javaFolder is the folder in which Debian has Java, in a folder for each version.
const javaFolder = "/usr/lib/jvm"

// modules lists the folders of James' source that are compiled: the app, and the modules of its dependencies that Maven
// Central does not have.
//
//go:embed modules.txt
var modules string

// pom asks for all further jars.
//
//go:embed pom.xml
var pom []byte

// scalaPom asks for the compiler of the few Scala files.
const scalaPom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>popelago</groupId><artifactId>scala</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>org.scala-lang</groupId><artifactId>scala-compiler</artifactId><version>2.13.16</version>
  </dependency></dependencies>
</project>
`

// Folders of the compiled James.
const (
	classes   = "classes"
	libraries = "lib"
)

// findJDK returns the folder of a JDK that compiles and runs James: chosen, or without a choice the first that is new enough.
func findJDK(chosen string) (string, error) {
	candidates := []string{chosen}
	if chosen == "" {
		installed, _ := filepath.Glob(filepath.Join(javaFolder, "*"))
		candidates = append([]string{os.Getenv("JAVA_HOME")}, installed...)
	}
	for _, dir := range candidates {
		release, err := os.ReadFile(filepath.Join(dir, "release"))
		if err != nil || javaVersion(string(release)) < oldestJava {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "bin", "javac")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no JDK of at least %d, which James needs: name its folder with --java", oldestJava)
}

// javaRelease finds the version in the file "release" of a JDK.
var javaRelease = regexp.MustCompile(`(?m)^JAVA_VERSION="(\d+)`)

// javaVersion returns the version of Java by the file "release"; zero if there is none.
func javaVersion(release string) int {
	found := javaRelease.FindStringSubmatch(release)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // zero for a number without end
	return n
}

// compileJames returns the folder of the compiled James. The first call takes some minutes.
func compileJames(ctx context.Context, java, source string) (string, error) {
	return cassandratest.Cached("james-"+jamesVersion, func(dir string) error {
		process.Note("fetching James %s", jamesVersion)
		lib := filepath.Join(dir, libraries)
		if err := cassandratest.CopyJars(ctx, pom, lib); err != nil {
			return err
		}
		work, err := os.MkdirTemp("", "james-source-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		if err := fetchSource(ctx, source, work); err != nil {
			return err
		}
		scala := filepath.Join(work, "scala-compiler")
		if err := cassandratest.CopyJars(ctx, []byte(scalaPom), scala); err != nil {
			return err
		}
		process.Note("compiling James: some minutes, once")
		made := filepath.Join(dir, classes)
		if err := os.Mkdir(made, 0o755); err != nil {
			return err
		}
		javaFiles, scalaFiles, err := sources(work, made)
		if err != nil {
			return err
		}
		// The Scala compiler reads the Java files too, and writes classes for the Scala files.
		if err := writeList(filepath.Join(work, "scala.list"), slices.Concat(scalaFiles, javaFiles)); err != nil {
			return err
		}
		if err := writeList(filepath.Join(work, "java.list"), javaFiles); err != nil {
			return err
		}
		jars := filepath.Join(lib, "*")
		bin := filepath.Join(java, "bin")
		err = process.Run(ctx, nil, "env", "-C", work, filepath.Join(bin, "java"), "-Xss128m", "-Xmx3g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
			"-cp", filepath.Join(scala, "*"), "scala.tools.nsc.Main", "-nowarn", "-release", "17", "-cp", jars, "-d", made, "@scala.list")
		if err != nil {
			return err
		}
		return process.Run(ctx, nil, "env", "-C", work, filepath.Join(bin, "javac"), "-J-Xmx2g", "-J-XX:+UseSerialGC", "-nowarn", "-proc:none",
			"--release", fmt.Sprint(oldestJava), "-encoding", "UTF-8", "-cp", made+":"+jars, "-d", made, "@java.list")
	})
}

// fetchSource writes the sources of the modules from a git repository into dir.
func fetchSource(ctx context.Context, repository, dir string) error {
	tag := "james-project-" + jamesVersion
	if info, err := os.Stat(repository); err != nil || !info.IsDir() {
		clone := filepath.Join(dir, "repository")
		if err := process.Run(ctx, nil, "git", "clone", "-q", "--bare", "--depth", "1", "--branch", tag, repository, clone); err != nil {
			return err
		}
		repository = clone
	}
	archive := filepath.Join(dir, "source.tar")
	args := []string{"-C", repository, "archive", "-o", archive, tag, "--"}
	for module := range strings.FieldsSeq(modules) {
		args = append(args, module+"/src/main")
	}
	if err := process.Run(ctx, nil, "git", args...); err != nil {
		return err
	}
	return process.Run(ctx, nil, "tar", "-x", "-C", dir, "-f", archive)
}

// sources lists the source files of the modules in dir, relative to it, and copies the other files of the modules into
// the folder made.
func sources(dir, made string) (java, scala []string, err error) {
	for module := range strings.FieldsSeq(modules) {
		root := filepath.Join(dir, module, "src", "main")
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			switch filepath.Ext(path) {
			case ".java":
				java = append(java, name)
			case ".scala":
				scala = append(scala, name)
			}
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		err = os.CopyFS(made, os.DirFS(filepath.Join(root, "resources")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
	}
	return java, scala, nil
}

// writeList writes a file with one name a line, for a compiler.
func writeList(file string, names []string) error {
	return os.WriteFile(file, []byte(strings.Join(names, "\n")+"\n"), 0o644)
}
