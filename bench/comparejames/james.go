package main

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"popelago/bench/process"
	"popelago/freeport"
)

// confFiles are the configuration files of James, each a text/template for jamesValues.
//
//go:embed conf
var confFiles embed.FS

// jamesValues fills in the configuration. Node is an IP address, the others are ports.
type jamesValues struct {
	Node string
	brokerPorts
	LMTP, POP3, Admin int
}

// apacheJames is a James with all files in a folder.
type apacheJames struct {
	process.Server
	dir   string
	admin string // address of the HTTP API
}

// newJames writes the configuration of a James on a node and a RabbitMQ.
func newJames(dir, node string, broker *rabbitMQ) (*apacheJames, error) {
	ports, err := freeport.Take(3)
	if err != nil {
		return nil, err
	}
	values := jamesValues{Node: node, brokerPorts: broker.ports, LMTP: ports[0], POP3: ports[1], Admin: ports[2]}
	files, err := confFiles.ReadDir("conf")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o755); err != nil {
		return nil, err
	}
	for _, f := range files {
		name := filepath.Join("conf", f.Name())
		text, err := confFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := process.WriteTemplate(filepath.Join(dir, name), string(text), values); err != nil {
			return nil, err
		}
	}
	admin := fmt.Sprintf("127.0.0.1:%d", values.Admin)
	return &apacheJames{
		Server: process.Server{
			Name: "james", Log: filepath.Join(dir, "log"), Patience: patience,
			LMTP: fmt.Sprintf("127.0.0.1:%d", values.LMTP), POP3: fmt.Sprintf("127.0.0.1:%d", values.POP3), Others: []string{admin},
		},
		dir: dir, admin: admin,
	}, nil
}

// start starts James and waits until its ports answer. java and code are folders: the JDK and the compiled James.
func (j *apacheJames) start(ctx context.Context, java, code, heap string) error {
	conf := filepath.Join(j.dir, "conf")
	return j.Start(ctx, filepath.Join(java, "bin", "java"), "-Xms"+heap, "-Xmx"+heap,
		"-Dworking.directory="+j.dir,
		"-Dlogback.configurationFile="+filepath.Join(conf, "logback.xml"),
		"-Dconfig.file="+filepath.Join(conf, "cassandra-driver.conf"),
		"-cp", filepath.Join(code, classes)+":"+filepath.Join(code, libraries, "*"),
		"org.apache.james.DistributedPOP3JamesServerMain")
}

// addUsers makes the domain and n users by the HTTP API.
func (j *apacheJames) addUsers(ctx context.Context, n int) error {
	if err := j.put(ctx, "domains/example.test", ""); err != nil {
		return err
	}
	for i := 1; i <= n; i++ {
		if err := j.put(ctx, "users/"+process.User(i), fmt.Sprintf(`{"password": %q}`, process.Password(i))); err != nil {
			return err
		}
	}
	return nil
}

// put calls the HTTP API.
func (j *apacheJames) put(ctx context.Context, path, body string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+j.admin+"/"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("james: PUT /%s: %s", path, answer.Status)
	}
	return nil
}
