package cassandra

import (
	"fmt"
	"strings"
	"time"
)

// judgeCommitLogs reports nodes that acknowledge writes before they are on disk.
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
		Text: fmt.Sprintf("commitlog_sync is periodic on %s: a power cut of the whole site loses up to %v of acknowledged mail", nodeNames(unsafe), longest),
		Hint: "set commitlog_sync to batch, or to group, in cassandra.yaml and restart the nodes one after the other",
	}}
}

// judgeSettings reports further settings of cassandra.yaml.
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
			Text: "hinted_handoff_enabled is false on " + nodeNames(some) + ": what a node misses it does not get before the next repair",
			Hint: "set hinted_handoff_enabled: true in cassandra.yaml",
		})
	}
	for _, name := range []string{"write_request_timeout", "read_request_timeout"} {
		if some := having(known, func(n node) bool { return n.period(name) > cfg.Timeout }); len(some) > 0 {
			found = append(found, Finding{
				Level: FindingWarning, Check: "settings",
				Text: fmt.Sprintf("cassandra.timeout is %v, shorter than %s of %s (%s): statements are given up that may yet succeed", cfg.Timeout, name, nodeNames(some), some[0].setting(name)),
				Hint: "make cassandra.timeout longer, or the nodes' shorter",
			})
		}
	}
	if len(found) == 0 && len(known) > 0 {
		found = append(found, Finding{Level: FindingOK, Check: "settings", Text: "hints are on, and the nodes give up before this program does"})
	}
	return found
}

// judgeAccess reports missing passwords and missing TLS.
func judgeAccess(cfg Config, nodes []node) []Finding {
	var found []Finding
	open := having(asked(nodes), func(n node) bool {
		return strings.HasSuffix(n.setting("authenticator", "authenticator.class_name"), "AllowAllAuthenticator")
	})
	if len(open) > 0 {
		found = append(found, Finding{
			Level: FindingWarning, Check: "access", Text: "no password is asked for by " + nodeNames(open) + ": whoever can connect can read and remove all mail",
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
