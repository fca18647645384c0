package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/template"
	"time"
)

// Main is the end of the function main of a command: it runs compare until SIGINT or SIGTERM, and reports its error.
func Main(name string, compare func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		stop()
		os.Exit(1)
	}
}

// InFolder calls f with a new folder in parent, or in the system's folder if parent is empty. The folder is removed
// afterwards, unless keep is set.
func InFolder(parent, name string, keep bool, f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, name+"-")
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	defer func() {
		if keep {
			fmt.Fprintln(os.Stderr, "kept", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	return f(dir)
}

// Build compiles popelago into a folder, and returns the program.
func Build(ctx context.Context, dir string) (binary string, err error) {
	Note("building")
	binary = filepath.Join(dir, "popelago")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/popelago")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as in a release
	return binary, output(cmd)
}

// Note prints progress for the user.
func Note(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// WriteTemplate writes a file from a text/template filled in with values.
func WriteTemplate(file, text string, values any) error {
	t, err := template.New(filepath.Base(file)).Parse(text)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, values); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// Install installs Debian packages of a program.
func Install(ctx context.Context, program string, packages ...string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("no %s, and no apt-get to install it with: install %v", program, packages)
	}
	Note("installing %s", program)
	if err := Run(ctx, nil, "apt-get", "update", "-q"); err != nil {
		return err
	}
	args := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)
	return Run(ctx, nil, "env", args...)
}
