package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/template"
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

// installDovecot installs Dovecot if any of it is missing.
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
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no Dovecot, and no apt-get to install it with: install %v", packages)
	}
	note("installing Dovecot")
	if err := command(ctx, nil, "apt-get", "update", "-q"); err != nil {
		return err
	}
	args := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)
	return command(ctx, nil, "env", args...)
}

// startDovecot starts a Dovecot that keeps everything in dir and has nothing to do with one
// that the machine may run.
func startDovecot(ctx context.Context, dir string, s settings) (*server, error) {
	if err := installDovecot(ctx); err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "run", "state", "mail"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := command(ctx, nil, "chown", "mail:mail", filepath.Join(dir, "mail")); err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
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
	var conf, passwd bytes.Buffer
	if err := template.Must(template.New("dovecot.conf").Parse(dovecotConf)).Execute(&conf, values); err != nil {
		return nil, err
	}
	for i := 1; i <= users; i++ {
		fmt.Fprintf(&passwd, "%s:{PLAIN}%s:mail:mail::%s/mail/%s::\n", user(i), password(i), dir, user(i))
	}
	path := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(path, conf.Bytes(), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "passwd"), passwd.Bytes(), 0o644); err != nil {
		return nil, err
	}
	d := &server{
		name: "dovecot",
		lmtp: fmt.Sprintf("127.0.0.1:%d", values.LMTP),
		pop3: fmt.Sprintf("127.0.0.1:%d", values.POP3),
		log:  filepath.Join(dir, "log"),
	}
	return d, d.start(ctx, "/usr/sbin/dovecot", "-F", "-c", path)
}
