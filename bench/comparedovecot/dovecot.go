package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"popelago/bench/process"
	"popelago/freeport"
)

// dovecotConf is Dovecot's configuration, a text/template for dovecotValues.
//
//go:embed dovecot.conf
var dovecotConf string

// dovecotValues fills in dovecotConf.
type dovecotValues struct {
	Dir        string
	LMTP, POP3 int // ports
	Extra      string
}

// packages are Dovecot's Debian packages.
var packages = []string{"dovecot-core", "dovecot-pop3d", "dovecot-lmtpd"}

// installDovecot installs the missing parts of Dovecot.
func installDovecot(ctx context.Context) error {
	missing := false
	for _, path := range []string{"/usr/sbin/dovecot", "/usr/lib/dovecot/pop3", "/usr/lib/dovecot/lmtp"} {
		if _, err := os.Stat(path); err != nil {
			missing = true
		}
	}
	if !missing {
		return nil
	}
	return process.Install(ctx, "Dovecot", packages...)
}

// startDovecot starts a Dovecot with all files in dir, independent of a Dovecot that the machine
// may run.
func startDovecot(ctx context.Context, dir string, s settings) (*process.Server, error) {
	if err := installDovecot(ctx); err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "run", "state", "mail"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := process.Run(ctx, nil, "chown", "mail:mail", filepath.Join(dir, "mail")); err != nil {
		return nil, err
	}
	ports, err := freeport.Take(2)
	if err != nil {
		return nil, err
	}
	values := dovecotValues{Dir: dir, LMTP: ports[0], POP3: ports[1]}
	if s.extra != "" {
		b, err := os.ReadFile(s.extra)
		if err != nil {
			return nil, err
		}
		values.Extra = string(b)
	}
	path := filepath.Join(dir, "dovecot.conf")
	if err := process.WriteTemplate(path, dovecotConf, values); err != nil {
		return nil, err
	}
	var passwd bytes.Buffer
	for i := 1; i <= users; i++ {
		fmt.Fprintf(&passwd, "%s:{PLAIN}%s:mail:mail::%s/mail/%s::\n", process.User(i), process.Password(i), dir, process.User(i))
	}
	if err := os.WriteFile(filepath.Join(dir, "passwd"), passwd.Bytes(), 0o644); err != nil {
		return nil, err
	}
	d := &process.Server{
		Name: "dovecot",
		LMTP: fmt.Sprintf("127.0.0.1:%d", values.LMTP),
		POP3: fmt.Sprintf("127.0.0.1:%d", values.POP3),
		Log:  filepath.Join(dir, "log"),
	}
	return d, d.Start(ctx, "/usr/sbin/dovecot", "-F", "-c", path)
}
