package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"popelago/config"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// What may keep a server from using its cluster until something is done about the schema.
var (
	// ErrSchemaNotApplied: it is missing or that of an older release.
	ErrSchemaNotApplied = errors.New("the schema must be applied first")
	// ErrSchemaNewer: it is that of a newer release.
	ErrSchemaNewer = errors.New("the schema is newer than this program")
	// ErrNodesDown: nodes are down, and nothing was changed.
	ErrNodesDown = cassandra.ErrNodesDown
	// ErrSchemaUnfinished: applying it again goes on from there.
	ErrSchemaUnfinished = cassandra.ErrSchemaUnfinished
	// ErrNotAllowed: the user of the cluster lacks a permission.
	ErrNotAllowed = cassandra.ErrNotAllowed
)

// openCassandra opens the Cassandra engine.
func (a *App) openCassandra(ctx context.Context) (store.Store, error) {
	cfg, err := cassandraConfig(a.cfg, a.logger)
	if err != nil {
		return store.Store{}, err
	}
	cfg.Registerer, cfg.Now = a.registry, a.now
	for _, dir := range []string{a.cfg.DataDir, cfg.SpoolDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return store.Store{}, fmt.Errorf("make a folder of data_dir or cassandra.spool_dir: %w", err)
		}
	}
	if cfg.Server, err = a.serverName(); err != nil {
		return store.Store{}, err
	}
	cfg.Address, cfg.Version = a.cfg.Hostname, Version()
	st, err := cassandra.Open(ctx, cfg)
	if err != nil {
		return store.Store{}, fmt.Errorf("open the store: %w", explainCassandra(err))
	}
	return store.New(st.Levels()), nil
}

// serverName is this server's name among all of the cluster, for good: that of the machine and
// its data folder, which no other server of the machine can have.
func (a *App) serverName() (string, error) {
	machine, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find out the name of this machine: %w", err)
	}
	dir, err := filepath.Abs(a.cfg.DataDir)
	if err != nil {
		return "", fmt.Errorf("find data_dir: %w", err)
	}
	return machine + ":" + dir, nil
}

// explainCassandra says which setting to look at, or what to do.
func explainCassandra(err error) error {
	switch {
	case errors.Is(err, cassandra.ErrSchemaMissing), errors.Is(err, cassandra.ErrSchemaOlder):
		return fmt.Errorf("%w: %w", ErrSchemaNotApplied, err)
	case errors.Is(err, cassandra.ErrSchemaNewer):
		return fmt.Errorf("%w: %w", ErrSchemaNewer, err)
	case errors.Is(err, cassandra.ErrUnknownDatacenter), errors.Is(err, cassandra.ErrNoLocalReplica):
		return fmt.Errorf("cassandra.datacenter: %w", err)
	case errors.Is(err, cassandra.ErrNoReplication):
		return fmt.Errorf("cassandra.replication: %w", err)
	case errors.Is(err, cassandra.ErrNotAllowed):
		return fmt.Errorf("cassandra.username: %w", err)
	case errors.Is(err, cassandra.ErrNoContact):
		return fmt.Errorf("%s: %w", contactSetting(err), err)
	}
	return err
}

// contactSetting is the setting to look at if no contact point can be used.
func contactSetting(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, cassandra.ErrSignIn):
		return "cassandra.username, cassandra.password_file"
	case errors.As(err, &authority):
		return "cassandra.tls_ca"
	case errors.As(err, &name):
		return "cassandra.tls_verify_names"
	}
	return "cassandra.hosts"
}

// cassandraConfig turns the section [cassandra] into the engine's own configuration. It reads
// the files that the section names.
func cassandraConfig(cfg config.Config, logger *slog.Logger) (cassandra.Config, error) {
	c := cfg.Cassandra
	out := cassandra.Config{
		Hosts:          c.Hosts,
		Datacenter:     c.Datacenter,
		Rack:           c.Rack,
		Keyspace:       c.Keyspace,
		Replication:    c.Replication,
		Username:       c.Username,
		Timeout:        c.Timeout,
		ConnectTimeout: c.ConnectTimeout,
		Retries:        orNegative(c.Retries),
		Connections:    c.Connections,
		Concurrency:    c.Concurrency,
		QueueTime:      c.QueueTime,
		SpoolDir:       cfg.SpoolDir(),
		Window:         c.Window,
		FloorEvery:     c.FloorEvery,
		BulkAfter:      orNegative(c.BulkAfter),
		ScanRate:       cfg.Tasks.OrphansRate,
		WrittenOff:     c.WrittenOff,
		Heartbeat:      c.Heartbeat,
		ClockEvery:     c.ClockEvery,
		Failover:       c.Failover,
		FailoverAfter:  c.FailoverAfter,
		Logger:         logger,

		SpeculativeDelay: orNegative(c.SpeculativeDelay),
		DownReminder:     c.DownReminder,

		DefaultDurability: durability(cfg),
	}
	if c.PasswordFile != "" {
		var err error
		if out.Password, err = config.ReadSecret(c.PasswordFile); err != nil {
			return cassandra.Config{}, fmt.Errorf("cassandra.password_file: %w", err)
		}
	}
	var err error
	out.TLS, err = cassandraTLS(c)
	return out, err
}

// durability is what counts in domains that say nothing about it.
func durability(cfg config.Config) mail.Durability {
	c := cfg.Cassandra
	return mail.Durability{Each: c.Durability == "each", OrLocal: c.OnUnreachable == "local"}
}

// cassandraTLS is the client side of TLS to the nodes; nil without.
func cassandraTLS(c config.Cassandra) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCA != "" {
		pem, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("cassandra.tls_ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cassandra.tls_ca: %s holds no certificate in PEM", c.TLSCA)
		}
	}
	if c.TLSCertificate != "" {
		load := func() (*tls.Certificate, error) {
			cert, err := tls.LoadX509KeyPair(c.TLSCertificate, c.TLSKey)
			if err != nil {
				return nil, fmt.Errorf("cassandra.tls_certificate %s with cassandra.tls_key %s: %w", c.TLSCertificate, c.TLSKey, err)
			}
			return &cert, nil
		}
		if _, err := load(); err != nil { // find a mistake at start
			return nil, err
		}
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	if !c.TLSVerifyNames {
		// crypto/tls can leave out only the whole check, so the chain is checked here.
		out.InsecureSkipVerify = true
		out.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, out.RootCAs) }
	}
	return out, nil
}

// verifyChain checks that a server's certificate comes from one of the authorities, whatever
// names it is for.
func verifyChain(state tls.ConnectionState, authorities *x509.CertPool) error {
	others := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		others.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: authorities, Intermediates: others})
	return err
}
