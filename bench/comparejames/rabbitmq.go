package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"popelago/bench/process"
	"popelago/freeport"
)

// rabbitMQConf is RabbitMQ's configuration, a text/template for brokerPorts.
//
//go:embed rabbitmq.conf
var rabbitMQConf string

// brokerPorts are the ports of RabbitMQ: for clients, for its administration, for the program that knows the names of
// nodes, and for other nodes.
type brokerPorts struct{ Broker, Management, Names, Nodes int }

// rabbitMQ is a RabbitMQ with all files in a temporary folder, independent of a RabbitMQ that the machine may run.
type rabbitMQ struct {
	process.Server
	names process.Server // epmd, which the start of RabbitMQ would otherwise leave behind
	ports brokerPorts
}

// brokerProgram is the script of the Debian package that starts RabbitMQ as the calling user.
const brokerProgram = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// installRabbitMQ installs RabbitMQ if it is missing.
func installRabbitMQ(ctx context.Context) error {
	if _, err := os.Stat(brokerProgram); err == nil {
		return nil
	}
	return process.Install(ctx, "RabbitMQ", "rabbitmq-server")
}

// newRabbitMQ writes the configuration of a RabbitMQ.
func newRabbitMQ(dir string) (*rabbitMQ, error) {
	ports, err := freeport.Take(4)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	r := &rabbitMQ{ports: brokerPorts{ports[0], ports[1], ports[2], ports[3]}}
	conf := filepath.Join(dir, "rabbitmq.conf")
	if err := process.WriteTemplate(conf, rabbitMQConf, r.ports); err != nil {
		return nil, err
	}
	plugins := filepath.Join(dir, "enabled_plugins")
	if err := os.WriteFile(plugins, []byte("[rabbitmq_management].\n"), 0o644); err != nil { // James asks for it
		return nil, err
	}
	names := fmt.Sprintf("ERL_EPMD_PORT=%d", r.ports.Names)
	r.names = process.Server{
		Name: "epmd", Log: filepath.Join(dir, "epmd.log"), Patience: patience,
		Others: []string{fmt.Sprintf("127.0.0.1:%d", r.ports.Names)},
	}
	r.Server = process.Server{
		Name: "rabbitmq", Log: filepath.Join(dir, "log"), Patience: patience,
		Others: []string{fmt.Sprintf("127.0.0.1:%d", r.ports.Management), fmt.Sprintf("127.0.0.1:%d", r.ports.Broker)},
		Env: []string{
			"HOME=" + dir, names,
			"RUNNING_UNDER_SYSTEMD=1", // the script then becomes the server, which ends at SIGTERM
			"RABBITMQ_NODENAME=popelago@localhost",
			fmt.Sprintf("RABBITMQ_DIST_PORT=%d", r.ports.Nodes),
			"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
			"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "none"),
			"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(dir, "none"),
			"RABBITMQ_CONFIG_FILE=" + conf,
			"RABBITMQ_ENABLED_PLUGINS_FILE=" + plugins,
			"RABBITMQ_GENERATED_CONFIG_DIR=" + filepath.Join(dir, "config"),
			"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"),
			"RABBITMQ_LOG_BASE=" + dir,
			"RABBITMQ_LOGS=-",
			"RABBITMQ_PID_FILE=" + filepath.Join(dir, "pid"),
		},
	}
	return r, nil
}

// start starts both programs. The caller stops them, also after an error.
func (r *rabbitMQ) start(ctx context.Context) error {
	epmd, err := exec.LookPath("epmd")
	if err != nil {
		return err
	}
	if err := r.names.Start(ctx, epmd, "-port", fmt.Sprint(r.ports.Names), "-address", "127.0.0.1"); err != nil {
		return err
	}
	return r.Start(ctx, brokerProgram)
}

// stop ends both programs.
func (r *rabbitMQ) stop() error { return errors.Join(r.Stop(), r.names.Stop()) }
