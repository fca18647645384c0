package cassandra

import (
	"context"
	"log/slog"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// driverQuiet is the shortest time between two logged driver warnings of a kind.
const driverQuiet = 5 * time.Minute

// driverLogger logs the driver's warnings, one of a kind in driverQuiet. The driver's errors are about
// nodes that are away; the failure of a statement is reported to its caller.
//
// The driver warns at every attempt to reach a node, several times a second while a datacenter is
// away. Warnings about nodes go to level debug: nodeWatch logs which nodes do not answer.
type driverLogger struct {
	logger *slog.Logger
	nodes  *nodeWatch // records why a node cannot be reached; may be nil
	seldom *seldom
}

func newDriverLogger(c Config) driverLogger {
	l := driverLogger{c.Logger, c.nodes, &seldom{every: driverQuiet}}
	if c.nodes != nil {
		l.seldom = &c.nodes.driverLines // shared by all sessions
	}
	return l
}

// Error implements gocql.StructuredLogger.
func (l driverLogger) Error(msg string, fields ...gocql.LogField) { l.warn(msg, fields) }

// Warning implements gocql.StructuredLogger.
func (l driverLogger) Warning(msg string, fields ...gocql.LogField) { l.warn(msg, fields) }

// Info implements gocql.StructuredLogger.
func (l driverLogger) Info(msg string, fields ...gocql.LogField) { l.log(slog.LevelDebug, msg, fields) }

// Debug implements gocql.StructuredLogger.
func (l driverLogger) Debug(string, ...gocql.LogField) {}

// aboutNodes lists the driver warnings that only say that a node cannot be reached.
var aboutNodes = [...]string{
	"Connection pool filling failed.",
	"Pool failed to connect to host. Reconnecting according to the reconnection policy.",
	"Node is DOWN.",
	"Control connection error.",
	"Unable to connect to any ring node, control connection falling back to initial contact points.",
	"Unable to reconnect control connection.",
	"Unable to refresh ring.",
	"Error executing control connection statement.",
	"Removing host.",
}

func (l driverLogger) warn(msg string, fields []gocql.LogField) {
	for _, about := range aboutNodes {
		if msg == about {
			l.noteCause(fields)
			l.log(slog.LevelDebug, msg, fields)
			return
		}
	}
	skipped, ok := l.seldom.allow(msg)
	if !ok {
		l.log(slog.LevelDebug, msg, fields)
		return
	}
	if skipped > 0 {
		fields = append(fields, gocql.NewLogFieldInt("not_logged", skipped))
	}
	l.log(slog.LevelWarn, msg, fields)
}

// noteCause records at nodeWatch why a node cannot be reached.
func (l driverLogger) noteCause(fields []gocql.LogField) {
	if l.nodes == nil {
		return
	}
	var address, cause string
	for _, f := range fields {
		switch f.Name {
		case "host", "host_addr":
			address = f.Value.String()
		case "err":
			cause = f.Value.String()
		}
	}
	if address != "" && cause != "" {
		l.nodes.noteCause(address, cause)
	}
}

func (l driverLogger) log(level slog.Level, msg string, fields []gocql.LogField) {
	if !l.logger.Enabled(context.Background(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("driver", msg)}
	for _, f := range fields {
		attrs = append(attrs, slog.String(f.Name, f.Value.String()))
	}
	l.logger.LogAttrs(context.Background(), level, "cassandra", attrs...)
}
