package app

import (
	"crypto/x509"
	"fmt"
	"os"

	"popelago/admin"
	"popelago/config"
)

// peers returns how the administration API asks the peers. secret is the token for callers
// without a token.
func peers(cfg config.Config, secret string) (admin.Peers, error) {
	roots, err := peerAuthorities(cfg)
	c := cfg.Admin
	return admin.Peers{
		Hosts: c.Peers, Plain: c.PeersPlain, Authorities: roots, Secret: secret, Timeout: c.PeersTimeout, AtOnce: c.PeersAtOnce,
	}, err
}

// peerAuthorities reads admin.peers_ca; nil: the authorities of the system.
func peerAuthorities(cfg config.Config) (*x509.CertPool, error) {
	if cfg.Admin.PeersCA == "" {
		return nil, nil
	}
	roots, err := authorities(cfg.Admin.PeersCA)
	if err != nil {
		return nil, asSetting(fmt.Errorf("admin.peers_ca: %w", err))
	}
	return roots, nil
}

// authorities reads a file with certificates in PEM.
func authorities(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", name)
	}
	return pool, nil
}
