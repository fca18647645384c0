package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"popelago/app"
	"popelago/config"
	"popelago/span"
)

// serveFlags are the flags of "popelago serve".
type serveFlags struct {
	settingsFlags
	dev                     bool
	pop3, pop3s, smtp, lmtp string
}

func newServeCommand() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve (--dev | --config FILE)",
		Short: "Run the server",
		Long: `Run the server until SIGINT or SIGTERM, which let sessions finish their command; a second
signal closes their connections. SIGHUP makes the server read its configuration and its
certificate again, as "popelago config reload" does; without a signal the server notices a
changed certificate at the next connection with TLS.

With --dev the server runs with settings to try out, on unprivileged ports of this machine,
and makes two accounts at its first start. SIGHUP ends it, too, because its terminal was
closed.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := f.config(cmd)
			if err != nil {
				return err
			}
			load := func() (config.Config, error) { return f.config(cmd) }
			return f.adviseSchema(serve(cmd.Context(), cfg, f.dev, load, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&f.dev, "dev", false, "run with settings to try out")
	cmd.Flags().StringVar(&f.pop3, "pop3", "", "listen for POP3 on `ADDR` (host:port, several separated by commas; empty: off)")
	cmd.Flags().StringVar(&f.pop3s, "pop3s", "", "listen for POP3 over TLS on `ADDR`")
	cmd.Flags().StringVar(&f.smtp, "smtp", "", "listen for SMTP on `ADDR`")
	cmd.Flags().StringVar(&f.lmtp, "lmtp", "", "listen for LMTP on `ADDR` (host:port or unix:/path)")
	return cmd
}

// config puts the settings together: defaults, file, environment, flags.
func (f *serveFlags) config(cmd *cobra.Command) (config.Config, error) {
	if f.dev == (f.file != "") {
		return config.Config{}, &usageError{"either --dev or --config FILE is needed"}
	}
	cfg, err := f.load()
	if err != nil {
		return config.Config{}, err
	}
	for _, l := range []struct{ flag, value string }{
		{"pop3", f.pop3}, {"pop3s", f.pop3s}, {"smtp", f.smtp}, {"lmtp", f.lmtp},
	} {
		if cmd.Flags().Changed(l.flag) {
			if err := cfg.Set(l.flag+".listen", l.value, "--"+l.flag); err != nil {
				return config.Config{}, err
			}
		}
	}
	return cfg, cfg.Validate()
}

// lastSpans limits the export of the last spans at the end of the server.
const lastSpans = 3 * time.Second

// serve runs a server until a signal ends it. load reads the configuration again.
func serve(ctx context.Context, cfg config.Config, dev bool, load func() (config.Config, error), stdout, stderr io.Writer) (err error) {
	defer giveHeadroom()()
	level := new(slog.LevelVar)
	logger, err := newLogger(stderr, cfg.Log, level)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	hangups := make(chan os.Signal, 1)
	if dev { // a closed terminal ends the server
		signal.Notify(signals, syscall.SIGHUP)
	} else {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	defer signal.Stop(hangups)

	stopSpans, err := span.Setup(ctx, versionText(), logger)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		stopSpans(last)
	}()
	a, err := app.New(ctx, cfg, logger, app.WithReload(load), app.WithLogLevel(level))
	if err != nil {
		return err
	}
	started := false
	defer func() {
		stopErr := stop(ctx, a, cfg, signals, logger)
		if started && stopErr == nil {
			logger.Info("stopped")
		}
		err = errors.Join(err, stopErr)
	}()
	var users []devUser
	if dev {
		if users, err = makeDevAccounts(ctx, a, cfg.DataDir); err != nil {
			return err
		}
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	started = true
	if dev {
		hints := devHints{users: users, dataDir: cfg.DataDir, certificate: a.CertificateFile(), addrs: a.Addrs()}
		if err := hints.print(stdout); err != nil {
			return err
		}
	}
	waitForEnd(ctx, signals, hangups, a, logger)
	return nil
}

// waitForEnd returns when a signal or ctx ends the server. At each hangup the configuration and
// the certificate are read again.
func waitForEnd(ctx context.Context, signals, hangups <-chan os.Signal, a *app.App, logger *slog.Logger) {
	for {
		select {
		case s := <-signals:
			logger.Info("stopping", "signal", s.String())
			return
		case <-hangups:
			_, _ = a.Reload(ctx) // an error is in the log already
		case <-ctx.Done():
			return
		}
	}
}

// stop ends the server, by force after the configured time or at the next signal. A further signal
// ends the process.
func stop(ctx context.Context, a *app.App, cfg config.Config, signals chan os.Signal, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	go func() {
		select {
		case s := <-signals:
			logger.Warn("stopping at once", "signal", s.String())
			signal.Stop(signals)
			cancel()
		case <-ctx.Done():
		}
	}()
	err := a.Stop(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return problem(fmt.Sprintf("sessions were cut off: not finished after %v", cfg.ShutdownTimeout))
	case errors.Is(err, context.Canceled):
		return problem("sessions were cut off by a second signal")
	}
	return err
}

// newLogger makes the log of the server, and sets its level.
func newLogger(w io.Writer, cfg config.Log, level *slog.LevelVar) (*slog.Logger, error) {
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	options.ReplaceAttr = textOfErrors
	return slog.New(slog.NewTextHandler(w, options)), nil
}

// textOfErrors replaces an error by its text, as the JSON form of the log does: the text form would print the stack traces in errors
// of the disk.
func textOfErrors(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindAny {
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(err.Error())
		}
	}
	return a
}
