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
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/embedded"
)

// cassandraSettings are the settings of the Cassandra engine.
type cassandraSettings struct{ config.Config }

func (s cassandraSettings) open(ctx context.Context, a *App) (engine, error) {
	cfg, err := cassandraConfig(s.Config, a.logger)
	if err != nil {
		return engine{}, err
	}
	cfg.Registerer, cfg.Now = a.registry, a.now
	for _, dir := range []string{s.DataDir, cfg.SpoolDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return engine{}, asSetting(fmt.Errorf("make a folder of data_dir or cassandra.spool_dir: %w", err))
		}
	}
	if cfg.Server, err = serverName(s.DataDir); err != nil {
		return engine{}, err
	}
	cfg.Address, cfg.Version, cfg.Admin = s.Hostname, Version(), s.Admin.Advertise
	st, err := cassandra.Open(ctx, cfg)
	if err != nil {
		return engine{}, fmt.Errorf("open the store: %w", explainCassandra(err))
	}
	return engine{
		name: cfg.Server, datacenter: cfg.Datacenter, store: store.New(st.Levels()), window: s.Cassandra.Window, mailboxWindow: s.Cassandra.Window, ledgerPoll: s.Ledger.Poll,
		remote:  true,
		free:    func() (int64, error) { return embedded.FreeSpace(s.SpoolDir()) },
		examine: func(ctx context.Context) ([]Finding, error) { return Doctor(ctx, s.Config, true) },
	}, nil
}

func (s cassandraSettings) check() error {
	_, err := cassandraConfig(s.Config, quiet())
	return err
}

func (s cassandraSettings) examine(ctx context.Context) ([]Finding, error) {
	cfg, err := cassandraConfig(s.Config, quiet())
	if err != nil {
		return nil, err
	}
	return cassandra.Doctor(ctx, cfg)
}

// serverName returns the permanent name of a server in its cluster: the name of the machine and the
// data folder, which no other server of the machine can have.
func serverName(dataDir string) (string, error) {
	machine, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("find out the name of this machine: %w", err)
	}
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("find data_dir: %w", err)
	}
	return machine + ":" + dir, nil
}

// explainCassandra adds the setting with the mistake, or the remedy, to an error of the engine.
func explainCassandra(err error) error {
	switch {
	case errors.Is(err, cassandra.ErrSchemaMissing), errors.Is(err, cassandra.ErrSchemaOlder):
		return fmt.Errorf("%w: %w", ErrSchemaNotApplied, err)
	case errors.Is(err, cassandra.ErrSchemaNewer):
		return fmt.Errorf("%w: %w", ErrSchemaNewer, err)
	case errors.Is(err, cassandra.ErrUnknownDatacenter), errors.Is(err, cassandra.ErrNoLocalReplica):
		return asSetting(fmt.Errorf("cassandra.datacenter: %w", err))
	case errors.Is(err, cassandra.ErrNoReplication):
		return asSetting(fmt.Errorf("cassandra.replication: %w", err))
	case errors.Is(err, cassandra.ErrNotAllowed):
		return fmt.Errorf("cassandra.username: %w", err)
	case errors.Is(err, cassandra.ErrNoContact):
		return explainContact(err)
	}
	return err
}

// explainContact adds the setting with the mistake if no contact point can be used. Nodes that do not
// answer are no proof of a mistake.
func explainContact(err error) error {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, cassandra.ErrSignIn):
		return asSetting(fmt.Errorf("cassandra.username, cassandra.password_file: %w", err))
	case errors.As(err, &authority):
		return asSetting(fmt.Errorf("cassandra.tls_ca: %w", err))
	case errors.As(err, &name):
		return asSetting(fmt.Errorf("cassandra.tls_verify_names: %w", err))
	}
	return fmt.Errorf("cassandra.hosts: %w", err)
}

// cassandraConfig completes the section [cassandra] to a Config of the engine. It reads the files
// that the section names.
func cassandraConfig(cfg config.Config, logger *slog.Logger) (cassandra.Config, error) {
	c := cfg.Cassandra
	out := c.Config
	out.SpoolDir, out.Logger, out.DefaultDurability = cfg.SpoolDir(), logger, c.DefaultDurability()
	out.Compression = cfg.Store.Compression
	if c.PasswordFile != "" {
		var err error
		if out.Password, err = config.ReadSecret(c.PasswordFile); err != nil {
			return cassandra.Config{}, asSetting(fmt.Errorf("cassandra.password_file: %w", err))
		}
	}
	var err error
	out.TLS, err = cassandraTLS(c)
	return out, asSetting(err)
}

// cassandraTLS returns the client side of TLS to the nodes; nil without TLS.
func cassandraTLS(c config.Cassandra) (*tls.Config, error) {
	if !c.TLS {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCA != "" {
		var err error
		if out.RootCAs, err = authorities(c.TLSCA); err != nil {
			return nil, fmt.Errorf("cassandra.tls_ca: %w", err)
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
		// crypto/tls can skip only the whole check, so VerifyConnection checks the chain.
		out.InsecureSkipVerify = true
		out.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, out.RootCAs) }
	}
	return out, nil
}

// verifyChain checks that the certificate of a server comes from one of the authorities, and ignores
// the names in the certificate.
func verifyChain(state tls.ConnectionState, authorities *x509.CertPool) error {
	chain := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		chain.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: authorities, Intermediates: chain})
	return err
}
