package pop3server

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/maildrop"
	"popelago/wire"
)

// outcome is the reason for the end of a session; the label "result".
type outcome string

const (
	outcomeQuit          outcome = "quit"          // QUIT, +OK
	outcomeQuitFailed    outcome = "quit_failed"   // QUIT, -ERR
	outcomeDisconnected  outcome = "disconnected"  // the client went away
	outcomeTimeout       outcome = "timeout"       // the client sent or received too little for too long
	outcomeBadCommands   outcome = "bad_commands"  // over Config.MaxBadCommands or MaxHarmlessCommands
	outcomeFailedLogins  outcome = "failed_logins" // over Config.MaxFailedLogins
	outcomeCrowded       outcome = "crowded"       // dropped for a new connection before login
	outcomeTLS           outcome = "tls_failed"    // the handshake of STLS failed
	outcomeBroken        outcome = "broken"        // a message could not be sent to its end
	outcomeShutdown      outcome = "shutdown"      // of the server
	outcomeAdministrator outcome = "administrator" // ended by the administrator
	outcomePanicked      outcome = "panicked"      // a defect
)

// metrics counts sessions, responses and messages.
type metrics struct {
	sessions  map[outcome]prometheus.Counter
	errors    map[string]prometheus.Counter // by response code
	retrieved prometheus.Counter
	octets    prometheus.Counter
	removed   *prometheus.CounterVec // label: durability reached, "local", "each" or "fallback"
	paused    prometheus.Counter
	// aheadPanics counts panics that ended a read ahead, and no session.
	aheadPanics prometheus.Counter
	lists       *prometheus.CounterVec // label: level reached, "each" or "fallback"
	// commands holds the durations of commands by verb; commandOther stands for all further verbs.
	commands *prometheus.HistogramVec
}

// commandOther is the label value of unknown commands.
const commandOther = "other"

func newMetrics(reg prometheus.Registerer, lists *maildrop.Lists) (*metrics, error) {
	sessions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_pop3server_sessions_total",
		Help: "Sessions by result: quit, quit_failed, disconnected, timeout, bad_commands, failed_logins, " +
			"crowded, tls_failed, broken, shutdown, administrator, panicked.",
	}, []string{"result"})
	errs := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_pop3server_errors_total",
		Help: "Negative responses by code: none, AUTH, SYS/TEMP, SYS/PERM, LOGIN-DELAY, IN-USE.",
	}, []string{"code"})
	m := &metrics{
		sessions: map[outcome]prometheus.Counter{},
		errors:   map[string]prometheus.Counter{},
		retrieved: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_pop3server_retrieved_messages_total", Help: "Messages sent by RETR.",
		}),
		octets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_pop3server_sent_octets_total", Help: "Octets of messages sent by RETR and TOP.",
		}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_pop3server_removed_messages_total", Help: "Messages removed by QUIT, by the durability reached: local, each, fallback.",
		}, []string{"durability"}),
		lists: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_pop3server_each_lists_total",
			Help: "Lists of maildrops with the reading level each or each-or-local, by level reached: each, fallback (another datacenter could not be reached).",
		}, []string{"level"}),
		paused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_pop3server_paused_commands_total",
			Help: "Commands answered a second later, since their session sends harmless commands only.",
		}),
	}
	m.aheadPanics = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "popelago_pop3server_read_ahead_panics_total", Help: "Reads ahead ended by a panic: each is a defect. The session goes on.",
	})
	m.commands = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "popelago_pop3server_command_seconds",
		Help:    "Time from a command line to the end of its response, by command: CAPA, QUIT, LANG, UTF8, USER, PASS, AUTH, STLS, STAT, LIST, UIDL, RETR, TOP, DELE, RSET, NOOP, other. PASS and AUTH include the delay after a failed login.",
		Buckets: wire.CommandBuckets(),
	}, []string{"command"})
	for _, o := range []outcome{outcomeQuit, outcomeQuitFailed, outcomeDisconnected, outcomeTimeout, outcomeBadCommands,
		outcomeFailedLogins, outcomeCrowded, outcomeTLS, outcomeBroken, outcomeShutdown, outcomeAdministrator, outcomePanicked} {
		m.sessions[o] = sessions.WithLabelValues(string(o))
	}
	for _, code := range []string{"", codeAuth, codeTemp, codePerm, codeLoginDelay, codeInUse} {
		label := strings.Trim(code, "[] ")
		if label == "" {
			label = "none"
		}
		m.errors[code] = errs.WithLabelValues(label)
	}
	if reg == nil {
		return m, nil
	}
	listOctets := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_pop3server_list_octets",
		Help: "Memory of the lists of open maildrops. Memory that the sessions of a maildrop share counts once.",
	}, func() float64 { return float64(lists.Octets()) })
	var failed []error
	for _, c := range []prometheus.Collector{sessions, errs, m.retrieved, m.octets, m.removed, m.paused, m.aheadPanics, m.lists, m.commands, listOctets} {
		failed = append(failed, reg.Register(c))
	}
	return m, errors.Join(failed...)
}
