package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"popelago/freeport"
)

// popelagoConf is the configuration; the verbs are the data folder and the two ports.
const popelagoConf = `hostname = "bench.example.test"
data_dir = %q
[pop3]
listen = "127.0.0.1:%d"
max_connections = 20000
max_sessions_per_account = 1000
[lmtp]
listen = "127.0.0.1:%d"
[log]
level = "warn"
`

// Popelago is a server on the embedded store.
type Popelago struct {
	Server
	// Data is the data folder.
	Data string

	binary, conf string
}

// NewPopelago writes the configuration of a server, and makes its domain and some users. All files are in dir. The
// server does not run afterwards.
func NewPopelago(ctx context.Context, dir, binary string, users int) (*Popelago, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := freeport.Take(2)
	if err != nil {
		return nil, err
	}
	p := &Popelago{
		Server: Server{
			Name: "popelago",
			POP3: fmt.Sprintf("127.0.0.1:%d", ports[0]),
			LMTP: fmt.Sprintf("127.0.0.1:%d", ports[1]),
			Log:  filepath.Join(dir, "log"),
		},
		Data: filepath.Join(dir, "data"), binary: binary, conf: filepath.Join(dir, "popelago.toml"),
	}
	if err := os.WriteFile(p.conf, fmt.Appendf(nil, popelagoConf, p.Data, ports[0], ports[1]), 0o644); err != nil {
		return nil, err
	}
	if err := p.Serve(ctx); err != nil {
		return nil, err
	}
	err = AddAccounts(ctx, binary, p.Data, users)
	if serr := p.Stop(); err == nil {
		err = serr
	}
	return p, err
}

// Configure adds settings to the configuration of a server that does not run: sections that the configuration lacks.
func (p *Popelago) Configure(sections string) error {
	conf, err := os.ReadFile(p.conf)
	if err != nil {
		return err
	}
	return os.WriteFile(p.conf, append(conf, sections...), 0o644)
}

// Serve starts the server, and waits until it answers.
func (p *Popelago) Serve(ctx context.Context) error {
	return p.Start(ctx, p.binary, "serve", "--config", p.conf)
}
