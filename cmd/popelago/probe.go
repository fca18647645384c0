package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
	"popelago/config"
	"popelago/mail"
)

// probeFlags are the flags of "popelago probe".
type probeFlags struct {
	configFile string
	sites      []string
	password   passwordFlags
	file       string
	starttls   bool
	insecure   bool
	timeout    time.Duration
	json       bool
	cfg        bench.ProbeConfig
}

func newProbeCommand() *cobra.Command {
	f := &probeFlags{}
	cmd := &cobra.Command{
		Use:   "probe ADDRESS",
		Short: "Send a message through servers, and measure the time until each site shows it",
		Long: `Send a message to an account by LMTP or SMTP, wait until it is listed by POP3, get it, compare
each octet, and remove it again. With several sites one message goes through each site, and the
command measures the time until every site lists it: the lag.

Sites are given with --site NAME=DELIVERY,POP3:

  --site dc1=lmtp://10.0.1.5:24,pop3s://mail1.example.org:995
  --site dc2=smtp://10.0.2.5:25,pop3://10.0.2.5:110
  --site here=lmtp:/run/popelago/lmtp.sock,pop3://127.0.0.1:110

or, for the server of this machine, with --config FILE.

The message has a random token in its header. The command gets and removes no other message.
Give the account to the probe alone, and a retention of a day: a message that a fault keeps from
being removed expires then, and the command names its token.

Exit codes: 0 the message was seen everywhere; 75 it was not within --wait, or a server has a
temporary fault; 69 a server does not answer, or refuses the message; 77 the login is refused;
1 the message has changed, or was removed by another program. The first fault counts; the output
has every step.`,
		Example: `  popelago probe probe@example.org --config popelago.toml --password-file probe.password
  popelago probe probe@example.org --password-file probe.password --json \
    --site dc1=lmtp://10.0.1.5:24,pop3s://mail1.example.org:995 \
    --site dc2=lmtp://10.0.2.5:24,pop3s://mail2.example.org:995`,
		Args: arguments("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	f.password.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.configFile, "config", "", "probe the server of this configuration `FILE`, at its first addresses")
	flags.StringArrayVar(&f.sites, "site", nil, "a `SITE`, NAME=DELIVERY,POP3; may be repeated")
	flags.StringVar(&f.file, "password-file", "", "read the password, one line, from `FILE`, which others may not read")
	flags.StringVar(&f.cfg.From, "from", "", "the reverse-path, an `ADDRESS`; without it the null reverse-path")
	flags.BoolVar(&f.starttls, "starttls", false, "use STARTTLS and STLS on connections that begin without TLS")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long one step of a connection may take")
	flags.DurationVar(&f.cfg.Wait, "wait", 30*time.Second, "how long the message may take until a site lists it")
	flags.DurationVar(&f.cfg.Every, "every", 250*time.Millisecond, "pause between two looks at a site")
	flags.BoolVar(&f.json, "json", false, "print the steps as JSON")
	return cmd
}

func (f *probeFlags) run(cmd *cobra.Command, address string) error {
	if _, err := mail.ParseAddress(address); err != nil {
		return withExit(exitData, err)
	}
	if err := f.setSites(); err != nil {
		return err
	}
	password, err := testedPassword(cmd, f.password, f.file, address)
	if err != nil {
		return err
	}
	f.cfg.Login = bench.Login{Name: address, Password: password}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := bench.Probe(ctx, f.cfg)
	if report.Account == "" {
		return &usageError{err.Error()}
	}
	if printed := f.print(cmd.OutOrStdout(), report); printed != nil {
		return printed
	}
	if len(report.Left) > 0 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "popelago: the maildrop may still have the message with the header line X-Bench-Id: %s\n", strings.Join(report.Left, ", "))
	}
	return probeError(err)
}

// setSites reads the sites of the flags.
func (f *probeFlags) setSites() error {
	switch {
	case f.configFile == "" && len(f.sites) == 0:
		return &usageError{"either --config FILE or --site SITE is needed"}
	case f.configFile != "" && len(f.sites) > 0:
		return &usageError{"--site goes without --config"}
	case f.configFile != "":
		return f.setLocal()
	}
	for _, text := range f.sites {
		name, rest, ok := strings.Cut(text, "=")
		deliver, pop3, both := strings.Cut(rest, ",")
		if !ok || !both || name == "" {
			return &usageError{fmt.Sprintf("--site %s is not like NAME=lmtp://HOST:PORT,pop3://HOST:PORT", quoted(text))}
		}
		site := bench.ProbeSite{Name: name}
		protocol, target, err := f.target(deliver, "lmtp", "smtp")
		if err == nil {
			site.Protocol, site.Deliver = bench.Protocol(protocol), target
			_, site.POP3, err = f.target(pop3, "pop3", "pop3s")
		}
		if err != nil {
			return err
		}
		f.cfg.Sites = append(f.cfg.Sites, site)
	}
	return nil
}

// target reads an address such as pop3s://mail.example.org:995 or lmtp:/run/lmtp.sock.
func (f *probeFlags) target(text string, schemes ...string) (scheme string, t bench.Target, err error) {
	wrong := &usageError{fmt.Sprintf("%s is not an address such as %s://HOST:PORT or %s:/PATH", quoted(text), schemes[0], schemes[0])}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" {
		return "", t, wrong
	}
	address := u.Host
	if u.Host == "" && u.Path != "" {
		address = "unix:" + u.Path
	} else if u.Path != "" || u.Port() == "" {
		return "", t, wrong
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return s, f.connection(address, s == "pop3s"), nil
		}
	}
	return "", t, wrong
}

// connection returns the target at an address.
func (f *probeFlags) connection(address string, implicit bool) bench.Target {
	t := bench.Target{Addr: address, Insecure: f.insecure, Timeout: f.timeout}
	switch {
	case implicit:
		t.TLS = bench.TLSImplicit
	case f.starttls && !strings.HasPrefix(address, "unix:"):
		t.TLS = bench.TLSStart
	}
	return t
}

// setLocal takes the first addresses of the server from its configuration: LMTP or else SMTP, and POP3
// without TLS from the first octet, or else with it.
func (f *probeFlags) setLocal() error {
	cfg, err := config.Load(f.configFile, os.Environ())
	if err != nil {
		return err
	}
	site := bench.ProbeSite{Name: "here", Protocol: bench.LMTP}
	switch {
	case len(cfg.LMTP.Listen) > 0:
		site.Deliver = f.connection(reachable(cfg.LMTP.Listen[0]), false)
	case len(cfg.SMTP.Listen) > 0:
		site.Protocol, site.Deliver = bench.SMTP, f.connection(reachable(cfg.SMTP.Listen[0]), false)
	default:
		return withExit(exitConfig, errors.New("the server takes no mail: lmtp.listen and smtp.listen are empty"))
	}
	switch {
	case len(cfg.POP3.Listen) > 0:
		site.POP3 = f.connection(reachable(cfg.POP3.Listen[0]), false)
	case len(cfg.POP3S.Listen) > 0:
		site.POP3 = f.connection(reachable(cfg.POP3S.Listen[0]), true)
	default:
		return withExit(exitConfig, errors.New("the server shows no maildrop: pop3.listen and pop3s.listen are empty"))
	}
	f.cfg.Sites = []bench.ProbeSite{site}
	return nil
}

// reachable returns an address at which this machine reaches a listener on all addresses.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || strings.HasPrefix(listen, "unix:") {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

func (f *probeFlags) print(w io.Writer, report bench.ProbeReport) error {
	if f.json {
		return printJSON(w, report)
	}
	rows := make([][]string, len(report.Steps))
	for i, s := range report.Steps {
		took := time.Duration(s.Seconds * float64(time.Second)).Round(100 * time.Microsecond).String()
		result := "ok"
		if s.Fault != "" {
			result = mail.Printable(s.Fault)
		}
		rows[i] = []string{s.Step, orDash(s.From), s.Site, took, result}
	}
	return printTable(w, []string{"STEP", "FROM", "SITE", "TIME", "RESULT"}, rows)
}

// probeError gives the first fault of a probe its exit code.
func probeError(err error) error {
	var fault *bench.ProbeFault
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bench.ErrNotVisible):
		return withExit(exitTemp, err)
	case errors.Is(err, bench.ErrOtherText), errors.Is(err, bench.ErrProbeGone):
		return withExit(exitProblems, err)
	case !errors.As(err, &fault), errors.Is(err, context.Canceled):
		return withExit(exitTemp, err)
	}
	switch refusal := fault.Refusal(); {
	case strings.Contains(refusal, "-ERR [AUTH]"):
		return withExit(exitNoPerm, err)
	case strings.Contains(refusal, "-ERR [SYS/TEMP]"), strings.Contains(refusal, "-ERR [LOGIN-DELAY]"), strings.Contains(refusal, "-ERR [IN-USE]"), temporaryReply(refusal):
		return withExit(exitTemp, err)
	}
	return withExit(exitUnavailable, err)
}

// temporaryReply reports whether a refusal contains a reply of the class 4 of SMTP and LMTP.
func temporaryReply(refusal string) bool {
	_, reply, ok := strings.Cut(refusal, ": ") // behind the command
	if !ok {
		reply = refusal
	}
	return len(reply) >= 3 && reply[0] == '4' && strings.Trim(reply[:3], "0123456789") == ""
}
