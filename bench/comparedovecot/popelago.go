package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"popelago/bench/process"
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

// startPopelago starts Popelago on the embedded store with all files in dir. It starts the server
// twice: once to make the accounts, and again to measure the memory of an idle server.
func startPopelago(ctx context.Context, dir, binary string) (*process.Server, error) {
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := process.FreePorts(2)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "popelago.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, popelagoConf, data, ports[0], ports[1]), 0o644); err != nil {
		return nil, err
	}
	s := &process.Server{
		Name: "popelago",
		POP3: fmt.Sprintf("127.0.0.1:%d", ports[0]),
		LMTP: fmt.Sprintf("127.0.0.1:%d", ports[1]),
		Log:  filepath.Join(dir, "log"),
	}
	if err := s.Start(ctx, binary, "serve", "--config", path); err != nil {
		return nil, err
	}
	err = process.AddAccounts(ctx, binary, data, users)
	if serr := s.Stop(); err == nil {
		err = serr
	}
	if err != nil {
		return nil, err
	}
	return s, s.Start(ctx, binary, "serve", "--config", path)
}
