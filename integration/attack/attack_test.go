package attack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"popelago/app"
	"popelago/config"
	"popelago/integration/servertest"
	"popelago/mail"
	"popelago/mailtest"
)

// An attack is an endless abuse of a server by strangers or careless users. All connections stay on
// loopback addresses: every client chooses its own.
type attack struct {
	name string
	// disk is the size of the server's disk in octets; 0: the disk of the machine.
	disk int64
	// settings makes the server differ from the default.
	settings func(*config.Config)
	// turns is the highest count of password hashes that the server computes while the user waits for a login; 0: any.
	turns float64
	// prepare runs once before the attack; may be nil.
	prepare func(t *testing.T, s *victim)
	// begin starts the goroutines of the attack, each of which ends soon after ctx. ready returns
	// nil when the attack is in full swing.
	begin func(ctx context.Context, s *victim) (ready func() error)
}

// The legitimate client: its work in each round, and the share of rounds that must succeed. A round
// has a generous limit, far above its need on a slow machine.
const (
	attackRounds = 10
	attackGood   = 9
	roundLimit   = 5 * time.Minute
	domain       = "example.test"
	userAddress  = "127.66.0.10"
	userName     = "user@" + domain
	userPassword = "the user's own secret"
)

// attacks are the cases. Each stands for one kind of abuse.
func attacks() []attack {
	return []attack{hangingUp(), guessing(), manySessions(), idling(), flooding(), unfinished()}
}

// TestAttack: during every attack a legitimate client, which logs in without a cache, fetches and
// delivers, completes at least nine of ten rounds.
func TestAttack(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			s := startVictim(t, a)
			if a.prepare != nil {
				a.prepare(t, s)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer s.attackers.Wait()
			defer stop()
			ready := a.begin(ctx, s)
			mailtest.WaitFor(t, 10*time.Minute, ready)
			good := 0
			for n := range attackRounds {
				if err := s.round(n); err != nil {
					t.Logf("round %d: %v", n, err)
					continue
				}
				good++
			}
			if good < attackGood {
				t.Errorf("%d of %d rounds went well, want %d", good, attackRounds, attackGood)
			}
		})
	}
}

// victim is a server under attack, in this process. Its limits apply to loopback addresses.
type victim struct {
	app                 *app.App
	pop3, smtp, metrics string
	turns               float64 // as in attack
	attackers           sync.WaitGroup
	attempts            atomic.Int64 // connections of the attackers
}

func startVictim(t *testing.T, under attack) *victim {
	t.Helper()
	cfg := config.Default()
	cfg.Hostname = "localhost"
	folder := t.TempDir()
	if under.disk > 0 {
		folder = servertest.SmallDisk(t, under.disk)
	}
	cfg.DataDir = filepath.Join(folder, "data")
	cfg.POP3.Listen, cfg.SMTP.Listen, cfg.Metrics.Listen = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	cfg.Auth.CredentialTTL = -1 // every login is uncached
	cfg.Auth.AllowInsecureAuth = true
	if under.settings != nil {
		under.settings(&cfg)
	}
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler), app.WithLocalCounted())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		a.Stop(ctx)
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	address := func(service string) string { return a.Addrs()[service][0].String() }
	s := &victim{app: a, pop3: address("pop3"), smtp: address("smtp"), metrics: address("metrics"), turns: under.turns}
	if _, err := a.Directory().AddDomain(t.Context(), domain); err != nil {
		t.Fatal(err)
	}
	s.addAccount(t, userName, userPassword)
	return s
}

func (s *victim) addAccount(t *testing.T, address, password string) {
	t.Helper()
	a, err := mail.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.app.Directory().AddAccount(t.Context(), a, password); err != nil {
		t.Fatal(err)
	}
}

// loopback is the n-th loopback address for attackers, a network (/24) of its own for each.
func loopback(n int) string { return fmt.Sprintf("127.%d.%d.1", 100+n/250%100, n%250) }

// round is one round of the legitimate client: it delivers a message, logs in, fetches the message
// and removes it.
func (s *victim) round(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), roundLimit)
	defer cancel()
	if err := s.deliver(ctx, userName, n); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	if err := s.fetch(ctx, n); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

// deliver brings message n to an account.
func (s *victim) deliver(ctx context.Context, to string, n int) error {
	l, err := dialLines(ctx, userAddress, s.smtp)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.talk("220", "HELO client.example", "250", "MAIL FROM:<sender@example.org>", "250",
		"RCPT TO:<"+to+">", "250", "DATA", "354",
		fmt.Sprintf("Subject: round %d\r\n\r\ntext\r\n.", n), "250", "QUIT", "221")
}

func (s *victim) fetch(ctx context.Context, n int) error {
	l, err := dialLines(ctx, userAddress, s.pop3)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.talk("+OK", "USER "+userName, "+OK"); err != nil {
		return err
	}
	before, err := s.hashes()
	if err != nil {
		return err
	}
	if err := l.talk("", "PASS "+userPassword, "+OK"); err != nil {
		return err
	}
	after, err := s.hashes()
	if err != nil {
		return err
	}
	if n := after - before; n > s.turns {
		return fmt.Errorf("the server computed %v hashes before the user's, want at most %v", n, s.turns)
	}
	// Failed rounds have left their messages.
	if _, err := io.WriteString(l, "STAT\r\n"); err != nil {
		return err
	}
	stat, err := l.in.ReadString('\n')
	if err != nil {
		return err
	}
	var last int
	if _, err := fmt.Sscanf(stat, "+OK %d", &last); err != nil {
		return fmt.Errorf("STAT: %q", stat)
	}
	if err := l.talk("", fmt.Sprintf("RETR %d", last), "+OK"); err != nil {
		return err
	}
	var text strings.Builder
	for line := ""; line != ".\r\n"; {
		if line, err = l.in.ReadString('\n'); err != nil {
			return err
		}
		text.WriteString(line)
	}
	if want := fmt.Sprintf("Subject: round %d\r\n", n); !strings.Contains(text.String(), want) {
		return fmt.Errorf("the message is not that of round %d: %q", n, text.String())
	}
	for n := 1; n <= last; n++ {
		if err := l.talk("", fmt.Sprintf("DELE %d", n), "+OK"); err != nil {
			return err
		}
	}
	return l.talk("", "QUIT", "+OK")
}

// hashes returns the count of password hashes that the server has computed; 0 if the attack has no limit.
func (s *victim) hashes() (float64, error) {
	if s.turns == 0 {
		return 0, nil
	}
	return servertest.ReadMetric(s.metrics, "popelago_account_password_hashes_total")
}

// lineClient is a connection that returns errors; mailtest.Client would end the test.
type lineClient struct {
	net.Conn
	in *bufio.Reader
}

// dialLines connects from a loopback address of the client's choice. The connection ends with
// ctx's deadline or after roundLimit: an attacker waits no longer than the user.
func dialLines(ctx context.Context, local, to string) (*lineClient, error) {
	end := time.Now().Add(roundLimit)
	if earlier, ok := ctx.Deadline(); ok {
		end = earlier
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}, Deadline: end}
	nc, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(end)
	return &lineClient{nc, bufio.NewReader(nc)}, nil
}

// talk expects a reply with the prefix greeting (empty: none), and then sends commands, each
// followed by the prefix of its reply.
func (l *lineClient) talk(greeting string, commands ...string) error {
	if greeting != "" {
		if err := l.expect(greeting); err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
	}
	for i := 0; i < len(commands); i += 2 {
		if _, err := io.WriteString(l, commands[i]+"\r\n"); err != nil {
			return err
		}
		if err := l.expect(commands[i+1]); err != nil {
			return fmt.Errorf("%.20q: %w", commands[i], err)
		}
	}
	return nil
}

func (l *lineClient) expect(prefix string) error {
	line, err := l.in.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, prefix) {
		err = fmt.Errorf("reply %q, want %s", line, prefix)
	}
	return err
}

// attack runs act in n goroutines again and again until ctx ends. Each call of act gets a new
// number.
func (s *victim) attack(ctx context.Context, n int, act func(i int)) {
	for range n {
		s.attackers.Go(func() {
			for ctx.Err() == nil {
				act(int(s.attempts.Add(1)))
			}
		})
	}
}

// atLeast is ready once the attackers have begun so many times.
func (s *victim) atLeast(n int64) func() error {
	return func() error {
		if got := s.attempts.Load(); got < n {
			return fmt.Errorf("the attackers have begun %d times, not yet %d", got, n)
		}
		return nil
	}
}

// hangingUp: 400 clients at a time, from 20 networks, send a wrong password and disconnect while the password
// waits for its hash. A user gets a turn after a few logins of each network. In the order of arrival, and without
// regard for the disconnected clients, all of them would come first.
func hangingUp() attack {
	const networks = 20
	return attack{
		name:  "clients that send a wrong password and hang up",
		turns: 5 * networks,
		settings: func(c *config.Config) {
			c.Auth.Argon2Time = 8
			c.POP3.LoginTimeout = roundLimit // a slow hash is no fault
		},
		begin: func(ctx context.Context, s *victim) func() error {
			s.attack(ctx, 400, func(i int) {
				l, err := dialLines(ctx, loopback(i%networks), s.pop3)
				if err != nil {
					return
				}
				defer l.Close()
				if l.talk("+OK", fmt.Sprintf("USER nobody%d@%s", i, domain), "+OK") != nil {
					return
				}
				io.WriteString(l, "PASS wrong\r\n")
				l.SetReadDeadline(time.Now().Add(time.Second)) // then it disconnects
				l.in.ReadByte()
			})
			return s.atLeast(800)
		},
	}
}

// guessing: one address of the user's network guesses the user's password, and guesses the
// passwords of others, on as many connections as the limits allow.
func guessing() attack {
	return attack{
		name: "wrong passwords for the user's account from the user's network",
		prepare: func(t *testing.T, s *victim) {
			if err := s.round(-1); err != nil { // the user has logged in before
				t.Fatal(err)
			}
		},
		begin: func(ctx context.Context, s *victim) func() error {
			s.attack(ctx, 100, func(i int) {
				l, err := dialLines(ctx, "127.66.0.99", s.pop3)
				if err != nil {
					return
				}
				defer l.Close()
				name := userName
				if i%2 == 0 {
					name = fmt.Sprintf("user%d@%s", i, domain)
				}
				for n, err := 0, error(nil); err == nil && ctx.Err() == nil; n++ {
					io.WriteString(l, fmt.Sprintf("USER %s\r\nPASS wrong %d %d\r\n", name, i, n))
					err = errors.Join(l.expect("+OK"), l.expect("-ERR"))
				}
			})
			return s.atLeast(100)
		},
	}
}

// manySessions: a user of the server opens one maildrop as often as possible, reads all of its
// messages, and keeps the sessions open.
func manySessions() attack {
	const owner, password, messages = "hoarder@" + domain, "the hoarder's secret", 100
	return attack{
		name: "many sessions of one maildrop",
		prepare: func(t *testing.T, s *victim) {
			s.addAccount(t, owner, password)
			for n := range messages {
				if err := s.deliver(t.Context(), owner, n); err != nil {
					t.Fatal(err)
				}
			}
		},
		begin: func(ctx context.Context, s *victim) func() error {
			var opened atomic.Int64
			s.attack(ctx, 60, func(i int) {
				l, err := dialLines(ctx, loopback(i), s.pop3)
				if err != nil {
					return
				}
				defer l.Close()
				if l.talk("+OK", "USER "+owner, "+OK", "PASS "+password, fmt.Sprintf("+OK %d ", messages)) != nil ||
					l.talk("", "LIST", "+OK") != nil {
					return
				}
				for line := ""; err == nil && line != ".\r\n"; {
					line, err = l.in.ReadString('\n')
				}
				if err == nil {
					opened.Add(1)
					<-ctx.Done()
				}
			})
			enough := s.atLeast(60)
			return func() error {
				if opened.Load() == 0 {
					return errors.New("no session has listed the messages")
				}
				return enough()
			}
		},
	}
}
