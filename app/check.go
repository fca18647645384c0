package app

import (
	"errors"
	"fmt"

	"popelago/config"
)

// Check returns all mistakes, in files and names outside of valid settings, that would keep a server
// from starting: the name of the machine, the permissions of the data folder, the certificate, the
// secrets. The error is a SettingError.
func Check(cfg config.Config) error {
	var errs []error
	hostname, err := hostName(cfg)
	errs = append(errs, err)
	if err := config.CheckPrivate(cfg.DataDir); err != nil {
		errs = append(errs, fmt.Errorf("data_dir: %w", err))
	}
	if cfg.TLS.Certificate != "" {
		_, err := newCertificates(cfg.TLS.Certificate, cfg.TLS.Key, hostname, quiet())
		errs = append(errs, err)
	}
	errs = append(errs, checkFiles(cfg)...)
	settings, err := settingsOf(cfg)
	if err == nil {
		err = settings.check()
	}
	errs = append(errs, err)
	return asSetting(errors.Join(errs...))
}

// checkFiles checks the files with secrets and authorities of the administration API and of the webhooks. Some
// errors may be nil.
func checkFiles(cfg config.Config) (errs []error) {
	if len(cfg.Admin.Listen) > 0 || len(cfg.UserPage.Listen) > 0 {
		_, err := adminToken(cfg)
		errs = append(errs, err)
	}
	_, err := peerAuthorities(cfg)
	errs = append(errs, err)
	_, err = targets(cfg)
	return append(errs, err)
}

// adminToken reads the secret of admin.listen; empty: there is none.
func adminToken(cfg config.Config) (string, error) {
	if cfg.Admin.TokenFile == "" {
		return "", nil
	}
	token, err := config.ReadToken(cfg.Admin.TokenFile)
	if err != nil {
		return "", asSetting(fmt.Errorf("admin.token_file: %w", err))
	}
	return token, nil
}
