package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"popelago/config"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/embedded"
)

// Finding is the result of one examination by Doctor.
type Finding = cassandra.Finding

// The levels of findings.
const (
	FindingOK      = cassandra.FindingOK
	FindingWarning = cassandra.FindingWarning
	FindingError   = cassandra.FindingError
)

// Doctor examines the environment of a server with these settings, and returns all findings, good and
// bad. Unless the server is running, Doctor also tries its addresses. Errors: a configuration that cannot
// be used; the end of ctx.
func Doctor(ctx context.Context, cfg config.Config, running bool) ([]Finding, error) {
	found := append(examineListeners(ctx, cfg, running), examineFolder(cfg.DataDir))
	if cfg.TLS.Certificate != "" {
		found = append(found, examineCertificate(cfg)...)
	}
	found = append(found, examineKey(cfg)...)
	if cfg.TLS.SelfSigned {
		found = append(found, examineSelfSigned(cfg.DataDir, time.Now())...)
	}
	found = append(found, examineFiles(cfg)...)
	if f, ok := examinePostmaster(cfg); ok {
		found = append(found, f)
	}
	found = append(found, examineLogins(cfg)...)
	settings, err := settingsOf(cfg)
	if err != nil {
		return found, err
	}
	storage, err := settings.examine(ctx)
	return append(found, storage...), err
}

// examineListeners returns the addresses of each service, and the addresses that a server could not use.
func examineListeners(ctx context.Context, cfg config.Config, running bool) (found []Finding) {
	listeners := cfg.Listeners()
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addresses...)
	}
	for _, l := range listeners {
		if len(l.Addresses) == 0 {
			continue
		}
		var failed []Finding
		if !running {
			failed = tryAddresses(ctx, l, all)
		}
		if len(failed) == 0 {
			failed = []Finding{{Level: FindingOK, Check: "listen", Text: l.Name + " on " + strings.Join(l.Addresses, ", ")}}
		}
		found = append(found, failed...)
	}
	return found
}

// tryAddresses returns the addresses of a service that a server could not use. all has the addresses of all services.
func tryAddresses(ctx context.Context, l config.Listener, all []string) (failed []Finding) {
	for _, address := range l.Addresses {
		err := tryAddress(ctx, config.Network(address, all), address)
		if err == nil {
			continue
		}
		f := Finding{Level: FindingError, Check: "listen", Text: explainListen(l.Name, address, err).Error(), Hint: "free the address, or set another: the server does not start until then"}
		if errors.Is(err, fs.ErrPermission) { // the user of the server may have the privilege
			f.Level, f.Hint = FindingWarning, "run the doctor as the user that runs the server, with the same privileges"
		}
		failed = append(failed, f)
	}
	return failed
}

// examineFiles returns the files with secrets and authorities that would keep a server from starting.
func examineFiles(cfg config.Config) (found []Finding) {
	for _, err := range checkFiles(cfg) {
		if err != nil {
			found = append(found, Finding{Level: FindingError, Check: "files", Text: err.Error(), Hint: "correct the file, or the setting: the server does not start until then"})
		}
	}
	return found
}

// examineFolder examines whether the server can make files in the data folder.
func examineFolder(dir string) Finding {
	fault := func(err error) Finding {
		return Finding{Level: FindingError, Check: "data_dir", Text: "data_dir: " + err.Error(), Hint: hintFolder(err)}
	}
	if err := config.CheckPrivate(dir); err != nil {
		return fault(err)
	}
	f := Finding{Level: FindingOK, Check: "data_dir", Text: dir + " can be written to"}
	probe, err := os.CreateTemp(dir, ".doctor-*.tmp")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Text = dir + " is not there yet; it is made at the first start"
		if err := mayMakeFolder(dir); err != nil {
			return fault(err)
		}
	case err != nil:
		return fault(err)
	default:
		if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
			return fault(err)
		}
	}
	return f
}

// mayMakeFolder examines the nearest parent that exists.
func mayMakeFolder(dir string) error {
	dir, err := filepath.Abs(dir)
	for err == nil {
		parent := filepath.Dir(dir)
		err = unix.Access(parent, unix.W_OK|unix.X_OK)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return fmt.Errorf("make it in %s: %w", parent, err)
		}
		dir, err = parent, nil
	}
	return err
}

// hintFolder returns the remedy for a data folder that cannot be used.
func hintFolder(err error) string {
	switch {
	case errors.Is(err, config.ErrNotPrivate):
		return "chmod 700 the folder: the server does not start until then"
	case errors.Is(err, syscall.EROFS):
		return "mount the file system for writing"
	case errors.Is(err, syscall.ENOTDIR):
		return "set data_dir to a folder"
	case errors.Is(err, syscall.ENOSPC):
		return "make room on the disk of data_dir"
	}
	return "give the folder to the user that runs the server"
}

// examinePostmaster warns of a server that accepts mail but has no account for <postmaster>.
func examinePostmaster(cfg config.Config) (f Finding, ok bool) {
	if !cfg.Delivery.Postmaster.IsZero() || len(cfg.SMTP.Listen) == 0 && len(cfg.LMTP.Listen) == 0 {
		return f, false
	}
	return Finding{
		Level: FindingWarning, Check: "postmaster",
		Text: "delivery.postmaster is not set: mail for <postmaster>, and for the postmaster of domains that have no such account, is refused (RFC 5321 section 4.5.1)",
		Hint: "set delivery.postmaster to the address of somebody who reads it",
	}, true
}

// examineLogins warns of services for other machines whose users cannot log in, because there is no certificate.
func examineLogins(cfg config.Config) (found []Finding) {
	if cfg.TLS.Certificate != "" || cfg.TLS.SelfSigned || cfg.Auth.AllowInsecureAuth {
		return nil
	}
	for _, l := range []config.Listener{{Name: "pop3", Addresses: cfg.POP3.Listen}, {Name: "userpage", Addresses: cfg.UserPage.Listen}} {
		for _, address := range l.Addresses {
			if isLocal(address) {
				continue
			}
			found = append(found, Finding{
				Level: FindingWarning, Check: "logins",
				Text: l.Name + " on " + address + " refuses logins from other machines, because there is no certificate for TLS",
				Hint: "set tls.certificate and tls.key; behind a proxy that has the certificate: auth.allow_insecure_auth = true",
			})
			break
		}
	}
	return found
}

// isLocal reports whether only this machine reaches an address for sure.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" { // a unix socket has no port
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// examineCertificate examines the certificate.
func examineCertificate(cfg config.Config) []Finding {
	hostname, err := hostName(cfg)
	if err != nil {
		return []Finding{{Level: FindingError, Check: "hostname", Text: err.Error()}}
	}
	certs, err := newCertificates(cfg.TLS.Certificate, cfg.TLS.Key, hostname, quiet())
	if err != nil {
		return []Finding{{Level: FindingError, Check: "tls", Text: err.Error()}}
	}
	return judgeCertificate(cfg.TLS.Certificate, hostname, certs.current, time.Now())
}

// examineSelfSigned examines the certificate that an earlier start has made. Each start replaces a certificate that will not
// hold for a month, or is for another name.
func examineSelfSigned(dir string, now time.Time) []Finding {
	certFile, keyFile := selfSignedFiles(dir)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	f := Finding{Level: FindingOK, Check: "tls"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the next start makes it
	case err != nil && !cutShort(certFile, keyFile):
		f.Level, f.Text, f.Hint = FindingError, unreadable(dir, err).Error(), "the server does not start until then"
	case err != nil:
		f.Level, f.Text, f.Hint = FindingWarning, "the self-signed certificate in "+certFile+" is not for its key", "restart the server: it makes both anew"
	case outOfTime(cert.Leaf, now):
		f.Level, f.Text, f.Hint = FindingError, "the self-signed certificate in "+certFile+" ended at "+utc(cert.Leaf.NotAfter), "restart the server: it makes another one"
	case cert.Leaf.NotAfter.Sub(now) < renewBefore:
		f.Level, f.Text, f.Hint = FindingWarning, "the self-signed certificate in "+certFile+" holds until "+utc(cert.Leaf.NotAfter), "restart the server: it makes another one"
	default:
		f.Text = "the self-signed certificate in " + certFile + " holds until " + utc(cert.Leaf.NotAfter)
	}
	return []Finding{f}
}

// examineStored examines the files of the embedded engine as a start would. A folder that was never in use has no
// finding.
func examineStored(ctx context.Context, dir string) []Finding {
	used, err := embedded.Examine(ctx, dir)
	f := Finding{Level: FindingOK, Check: "store", Text: "the files that must be in " + dir + " are there"}
	switch {
	case !used && err == nil:
		return nil
	case errors.Is(err, store.ErrCorrupt):
		f.Level, f.Text, f.Hint = FindingError, err.Error(), "the server does not start: see \"When the server says that the folder is damaged\" in docs/data-folder.md"
	case errors.Is(err, ErrNewerFormat):
		f.Level, f.Text, f.Hint = FindingError, err.Error(), "start the newer release"
	case err != nil:
		f.Level, f.Text = FindingWarning, err.Error()
	default:
		switch gone, name, err := embedded.ContentsGone(dir); {
		case err != nil:
			f.Level, f.Text = FindingWarning, err.Error()
		case gone:
			f.Level, f.Text = FindingWarning, name+" is missing, or has no folder of this server. Each start makes a folder in it"
			f.Hint = "bring the folder back, or mount its disk: the server does not start if a message has its octets there"
		}
	}
	return []Finding{f}
}

// examineKey warns of a private key that others may read. The server uses the key all the same.
func examineKey(cfg config.Config) []Finding {
	err := config.CheckPrivate(cfg.TLS.Key)
	if cfg.TLS.Key == "" || !errors.Is(err, config.ErrNotPrivate) {
		return nil
	}
	return []Finding{{Level: FindingWarning, Check: "tls", Text: "tls.key: " + err.Error(), Hint: "everybody who has the key can pretend to be this server"}}
}

// examineSpace examines the free space of the disk of the data folder.
func examineSpace(dir string, reserve int64) Finding {
	f := Finding{Level: FindingOK, Check: "space"}
	free, err := embedded.FreeSpace(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Text = "not known before the first start"
	case err != nil:
		f.Level, f.Text = FindingWarning, "data_dir: "+err.Error()
	case free < reserve:
		f.Level, f.Text = FindingError, fmt.Sprintf("%s are free, less than store.reserve (%s): no mail is taken", mebibytes(free), mebibytes(reserve))
		f.Hint = "make room on the disk of data_dir"
	case free < 10*reserve:
		f.Level, f.Text = FindingWarning, fmt.Sprintf("%s are free; below store.reserve (%s) no mail is taken", mebibytes(free), mebibytes(reserve))
		f.Hint = "make room on the disk of data_dir"
	default:
		f.Text = mebibytes(free) + " are free"
	}
	return f
}

// quiet returns a logger for functions that return all results.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mebibytes(octets int64) string { return fmt.Sprintf("%d MiB", octets>>20) }

// logFindings examines the cluster once and logs warnings and errors. logFindings ends with ctx.
func (a *App) logFindings(ctx context.Context) {
	found, err := a.engine.examine(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		a.logger.Warn("the cluster could not be examined", "cause", err)
	}
	for _, f := range found {
		switch f.Check {
		case "tls", "postmaster", "logins": // certificates and Start log these
		case "clock", "window": // the engine logs these
		default:
			logFinding(a.logger, f)
		}
	}
}

// logFinding logs a finding, a good finding at the level debug.
func logFinding(logger *slog.Logger, f Finding) {
	level := slog.LevelDebug
	switch f.Level {
	case FindingWarning:
		level = slog.LevelWarn
	case FindingError:
		level = slog.LevelError
	}
	logger.Log(context.Background(), level, f.Text, "check", f.Check, "hint", f.Hint)
}
