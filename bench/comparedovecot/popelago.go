package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// popelagoConf is our configuration; the verbs are the data folder and the two ports.
const popelagoConf = `hostname = "bench.example.test"
data_dir = %q
[pop3]
listen = "127.0.0.1:%d"
max_connections = 20000
[lmtp]
listen = "127.0.0.1:%d"
[log]
level = "warn"
`

// startPopelago starts our server on the embedded store with everything in dir. It is started
// twice: once to make the accounts, and again so that its memory is that of a server that has
// done nothing yet.
func startPopelago(ctx context.Context, dir, binary string) (*server, error) {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "popelago.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, popelagoConf, data, ports[0], ports[1]), 0o644); err != nil {
		return nil, err
	}
	s := &server{
		name: "popelago",
		pop3: fmt.Sprintf("127.0.0.1:%d", ports[0]),
		lmtp: fmt.Sprintf("127.0.0.1:%d", ports[1]),
		log:  filepath.Join(dir, "log"),
	}
	if err := s.start(ctx, binary, "serve", "--config", path); err != nil {
		return nil, err
	}
	err = addAccounts(ctx, binary, data)
	if serr := s.stop(); err == nil {
		err = serr
	}
	if err != nil {
		return nil, err
	}
	return s, s.start(ctx, binary, "serve", "--config", path)
}

// addAccounts makes the domain and the users.
func addAccounts(ctx context.Context, binary, data string) error {
	if err := command(ctx, nil, binary, "domain", "add", "example.test", "--data", data); err != nil {
		return err
	}
	for i := 1; i <= users; i++ {
		err := command(ctx, []byte(password(i)+"\n"), binary, "account", "add", user(i), "--password-stdin", "--data", data)
		if err != nil {
			return err
		}
	}
	return nil
}
