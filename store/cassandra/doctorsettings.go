package cassandra

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// setting is the value of the first of some names that a node knows.
func (n node) setting(names ...string) string {
	for _, name := range names {
		if v := n.settings[name]; v != "" {
			return v
		}
	}
	return ""
}

// period is a setting that is a duration, such as "10s", "10000ms" or "1d"; zero if it is none.
func (n node) period(name string) time.Duration {
	text := n.setting(name)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.Atoi(days)
		if err != nil || count > 36500 {
			return 0
		}
		return time.Duration(count) * 24 * time.Hour
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// asked are the nodes whose settings are known.
func asked(nodes []node) []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return n.err != nil || n.settingsErr != nil })
}

// having are those nodes that f accepts.
func having(nodes []node, f func(node) bool) []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return !f(n) })
}

// judgeCommitLogs tells which nodes acknowledge writes that are not on disk yet.
func judgeCommitLogs(nodes []node) []Finding {
	known := asked(nodes)
	unsafe := having(known, func(n node) bool { return n.setting("commitlog_sync") == "periodic" })
	if len(unsafe) == 0 {
		if len(known) == 0 {
			return nil
		}
		return []Finding{{Level: FindingOK, Check: "commitlog", Text: "commitlog_sync of " + count(len(known), "node") + " has writes on disk before they are acknowledged"}}
	}
	longest := time.Duration(0)
	for _, n := range unsafe {
		longest = max(longest, n.period("commitlog_sync_period"))
	}
	return []Finding{{
		Level: FindingWarning, Check: "commitlog",
		Text: fmt.Sprintf("commitlog_sync is periodic on %s: a power cut of the whole site loses up to %v of acknowledged mail", addresses(unsafe), longest),
		Hint: "set commitlog_sync to batch, or to group, in cassandra.yaml and restart the nodes one after the other",
	}}
}

// judgeSettings looks at what else of cassandra.yaml matters.
func judgeSettings(cfg Config, nodes []node) []Finding {
	var found []Finding
	for _, n := range nodes {
		if n.err == nil && n.settingsErr != nil {
			f := Finding{Level: FindingWarning, Check: "settings", Text: fmt.Sprintf("%s does not tell its settings: %v", n.address, n.settingsErr)}
			if unauthorized(n.settingsErr) {
				f.Hint = "execute GRANT SELECT ON KEYSPACE system_views TO " + cfg.Username
			}
			found = append(found, f)
		}
	}
	known := asked(nodes)
	if some := having(known, func(n node) bool { return n.setting("hinted_handoff_enabled") == "false" }); len(some) > 0 {
		found = append(found, Finding{
			Level: FindingWarning, Check: "settings",
			Text: "hinted_handoff_enabled is false on " + addresses(some) + ": what a node misses it does not get before the next repair",
			Hint: "set hinted_handoff_enabled: true in cassandra.yaml",
		})
	}
	for _, name := range []string{"write_request_timeout", "read_request_timeout"} {
		if some := having(known, func(n node) bool { return n.period(name) > cfg.Timeout }); len(some) > 0 {
			found = append(found, Finding{
				Level: FindingWarning, Check: "settings",
				Text: fmt.Sprintf("cassandra.timeout is %v, shorter than %s of %s (%s): statements are given up that may yet succeed", cfg.Timeout, name, addresses(some), some[0].setting(name)),
				Hint: "make cassandra.timeout longer, or the nodes' shorter",
			})
		}
	}
	if len(found) == 0 && len(known) > 0 {
		found = append(found, Finding{Level: FindingOK, Check: "settings", Text: "hints are on, and the nodes give up before this program does"})
	}
	return found
}

// judgeAccess looks at who else can read.
func judgeAccess(cfg Config, nodes []node) []Finding {
	var found []Finding
	open := having(asked(nodes), func(n node) bool {
		return strings.HasSuffix(n.setting("authenticator", "authenticator.class_name"), "AllowAllAuthenticator")
	})
	if len(open) > 0 {
		found = append(found, Finding{
			Level: FindingWarning, Check: "access", Text: "no password is asked for by " + addresses(open) + ": whoever can connect can read and remove all mail",
			Hint: "set authenticator: PasswordAuthenticator in cassandra.yaml, or let nobody else connect",
		})
	}
	if cfg.Username != "" && cfg.TLS == nil {
		found = append(found, Finding{
			Level: FindingWarning, Check: "access", Text: "the password and all mail cross the network to the nodes in the clear",
			Hint: "set client_encryption_options in cassandra.yaml, and cassandra.tls = true",
		})
	}
	if len(found) == 0 && len(asked(nodes)) > 0 {
		text := "the nodes ask for a password"
		if cfg.TLS != nil {
			text += ", and connections are encrypted"
		}
		found = append(found, Finding{Level: FindingOK, Check: "access", Text: text})
	}
	return found
}

// unauthorized reports whether the user is not allowed to do what failed.
func unauthorized(err error) bool {
	var answer gocql.RequestError
	return errors.As(err, &answer) && answer.Code() == gocql.ErrCodeUnauthorized
}
