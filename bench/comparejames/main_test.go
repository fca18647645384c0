package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"popelago/bench/process"
)

// The version of Java is found in the file "release" of a JDK.
func TestJavaVersion(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int
	}{
		{"IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"21.0.3\"\nJAVA_RUNTIME_VERSION=\"99\"\n", 21},
		{"JAVA_VERSION=\"25\"\n", 25}, {"JAVA_VERSION=\"1.8.0_402\"\n", 1}, {"", 0},
	} {
		if got := javaVersion(c.in); got != c.want {
			t.Errorf("javaVersion(%q) = %d, want %d", c.in, got, c.want)
		}
	}
}

// A Java that is too old, or has no compiler, is not taken.
func TestFindJDK(t *testing.T) {
	jdk := func(version string, programs ...string) string {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "release"), []byte("JAVA_VERSION=\""+version+"\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, p := range programs {
			if err := os.WriteFile(filepath.Join(dir, "bin", p), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	good := jdk("21.0.1", "java", "javac")
	if got, err := findJDK(good); err != nil || got != good {
		t.Errorf("a good JDK: %q, %v", got, err)
	}
	for name, dir := range map[string]string{"old": jdk("17.0.1", "java", "javac"), "no compiler": jdk("25", "java"), "none": t.TempDir()} {
		if got, err := findJDK(dir); err == nil {
			t.Errorf("%s: taken as %q", name, got)
		}
	}
}

// Every configuration file is filled in, and XML is well formed.
func TestConfiguration(t *testing.T) {
	dir := t.TempDir()
	broker, err := newRabbitMQ(filepath.Join(dir, "rabbitmq"))
	if err != nil {
		t.Fatal(err)
	}
	james, err := newJames(filepath.Join(dir, "james"), "127.9.1.1", broker)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "james", "conf", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %q, %v", files, err)
	}
	all := ""
	for _, file := range append(files, filepath.Join(dir, "rabbitmq", "rabbitmq.conf")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all += string(text)
		if filepath.Ext(file) != ".xml" {
			continue
		}
		d := xml.NewDecoder(strings.NewReader(string(text)))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", file, err)
		}
	}
	want := []string{"127.9.1.1:9042", james.LMTP, james.POP3}
	for _, addr := range slices.Concat(james.Others, broker.Others, broker.names.Others) {
		_, port, _ := strings.Cut(addr, ":")
		if addr == broker.names.Others[0] {
			all += strings.Join(broker.Env, "\n")
		}
		want = append(want, port)
	}
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("no %s in\n%s", w, all)
		}
	}
}

// Source files are listed by language, and other files are copied beside the classes.
func TestSources(t *testing.T) {
	dir, made := t.TempDir(), t.TempDir()
	var first string
	for module := range strings.FieldsSeq(modules) {
		if first == "" {
			first = module
		}
		if err := os.MkdirAll(filepath.Join(dir, module, "src/main/java/a"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"java/a/B.java", "scala/a/C.scala", "resources/a/d.xml"} {
		path := filepath.Join(dir, first, "src/main", file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	java, scala, err := sources(dir, made)
	if err != nil || !slices.Equal(java, []string{first + "/src/main/java/a/B.java"}) || !slices.Equal(scala, []string{first + "/src/main/scala/a/C.scala"}) {
		t.Errorf("java %q, scala %q, %v", java, scala, err)
	}
	if _, err := os.Stat(filepath.Join(made, "a", "d.xml")); err != nil {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	r := results{
		settings:    settings{rounds: 3, messages: 4000, passes: 3, version: "4.1.10", heap: "1G", james: "1500m"},
		theirs:      process.Rates{RETR: []float64{500, 400, 600}},
		ours:        process.Rates{RETR: []float64{5000, 6000, 7000}},
		jamesMemory: 2000 << 20, brokerMemory: 150 << 20, popelagoMemory: 80 << 20,
	}
	if r.of(&process.Server{Name: popelago}) != &r.ours || r.of(&process.Server{Name: "james"}) != &r.theirs {
		t.Error("rates of the wrong server")
	}
	var out strings.Builder
	if err := r.write(&out); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"RETR messages/s, pipelined 500 400-600 6000 5000-7000 12.00 10.0", "memory of the server, MiB 2000 80", "memory of RabbitMQ, MiB 150",
		"4000 messages of 8192 octets a round, fetched 3 times and compared", "Cassandra 4.1.10, heap 1G",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Wrong flags are refused before an installation or a build.
func TestRefusedFlags(t *testing.T) {
	for name, s := range map[string]settings{
		"rounds": {rounds: 0, messages: users}, "messages": {rounds: 1, messages: users - 1}, "warmup": {rounds: 1, messages: users, warmup: -1},
		"java": {rounds: 1, messages: users, java: t.TempDir()},
	} {
		if err := compare(t.Context(), s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
