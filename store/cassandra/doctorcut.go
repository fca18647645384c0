package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra/driver"
)

// isCut reports whether no node of another datacenter is heard: all nodes are down, or the line to them
// is.
func isCut(cfg Config, nodes []node, datacenter string) bool {
	all := inDatacenter(nodes, datacenter)
	return datacenter != cfg.Datacenter && len(all) > 0 && len(having(all, func(n node) bool { return n.alive != nil && n.isDown() })) == len(all)
}

// judgeCut reports a datacenter without a node that is heard. This datacenter stores and serves mail
// without it; judgeEach reports the domains that need both.
func judgeCut(datacenter string, nodes []node) Finding {
	return Finding{
		Level: FindingWarning, Check: "node",
		Text: fmt.Sprintf("all nodes of %s are down, or the line to it is: %s", datacenter, nodeNames(nodes)),
		Hint: "mend the line, or start the nodes within max_hint_window; after a longer absence repair them",
	}
}

// judgeEach reports the domains that need a datacenter that cannot be reached.
func judgeEach(cfg Config, domains []store.Domain, cut []string) []Finding {
	var refuse, fall []string
	for _, d := range domains {
		switch durability := d.Durability.Or(cfg.DefaultDurability); {
		case durability.OrLocal():
			fall = append(fall, d.Name)
		case durability.Each():
			refuse = append(refuse, d.Name)
		}
	}
	var found []Finding
	if len(refuse) > 0 {
		found = append(found, Finding{
			Level: FindingError, Check: "durability",
			Text: fmt.Sprintf(`%s with durability "each" refuse mail now (451), because %s cannot be reached: %s`, count(len(refuse), "domain"), strings.Join(cut, ", "), firstOf(refuse)),
			Hint: "senders try again for days; to take mail meanwhile: popelago domain set NAME --durability local",
		})
	}
	if len(fall) > 0 {
		found = append(found, Finding{
			Level: FindingWarning, Check: "durability",
			Text: fmt.Sprintf(`%s with durability "each" store mail in this datacenter only now, because %s cannot be reached: %s`, count(len(fall), "domain"), strings.Join(cut, ", "), firstOf(fall)),
		})
	}
	return found
}

// judgeNames reports configured datacenters that the cluster does not have.
func judgeNames(cfg Config, nodes []node) []Finding {
	names := datacenters(nodes)
	var found []Finding
	wrong := func(where, name string) {
		if slices.Contains(names, name) {
			return
		}
		found = append(found, Finding{
			Level: FindingError, Check: "datacenter", Hint: "correct the name in " + where,
			Text: fmt.Sprintf("%s names datacenter %q, which the cluster does not have; it has %s", where, name, strings.Join(names, ", ")),
		})
	}
	for _, name := range sortedKeys(cfg.Replication) {
		wrong("cassandra.replication", name)
	}
	for _, name := range cfg.Failover {
		wrong("cassandra.failover", name)
	}
	return found
}

// signInReplication holds the replicas of users and permissions.
type signInReplication struct {
	simple   bool // SimpleStrategy: placed without regard to datacenters
	replicas map[string]int
	any      int // count of replicas, if simple
}

// readSignIn reads the replication of system_auth.
func readSignIn(ctx context.Context, session driver.Session) (r signInReplication, err error) {
	var options map[string]string
	if err := driver.ScanOne(ctx, session, atNode(selectReplication, "system_auth"), &options); err != nil {
		return r, err
	}
	r.simple = !strings.HasSuffix(options["class"], "NetworkTopologyStrategy")
	r.replicas = map[string]int{}
	for name, text := range options {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
		case name == "replication_factor":
			r.any = n
		default:
			r.replicas[name] = n
		}
	}
	return r, nil
}

// judgeSignIn checks whether users can sign in while a node or another datacenter is away. Without
// passwords it reports nothing.
func judgeSignIn(cfg Config, nodes []node, r signInReplication) []Finding {
	asks := having(asked(nodes), func(n node) bool {
		name := n.setting("authenticator", "authenticator.class_name")
		return name != "" && !strings.HasSuffix(name, "AllowAllAuthenticator")
	})
	if len(asks) == 0 && cfg.Username == "" {
		return nil
	}
	want, short := map[string]int{}, []string{}
	for _, name := range datacenters(nodes) {
		want[name] = min(3, len(inDatacenter(nodes, name)))
		if !r.simple && r.replicas[name] < want[name] {
			short = append(short, fmt.Sprintf("%s in %s", count(r.replicas[name], "replica"), name))
		}
	}
	f := Finding{Level: FindingOK, Check: "sign-in", Text: "users are kept in every datacenter (system_auth)"}
	switch {
	case r.simple && (len(want) > 1 || r.any < min(3, len(nodes))):
		f.Text = fmt.Sprintf("system_auth has %s without regard to datacenters (SimpleStrategy): while these nodes are away nobody can sign in, and every server stops", count(r.any, "replica"))
	case len(short) > 0:
		f.Text = fmt.Sprintf("system_auth has %s: while those nodes, or the line to them, are away nobody can sign in there, and the servers stop", strings.Join(short, ", "))
	default:
		return []Finding{f}
	}
	f.Level = FindingWarning
	f.Hint = "execute " + alterKeyspace("system_auth", want) + ", then nodetool repair --full system_auth on each node"
	return []Finding{f}
}

// readAllDomains reads the domains for judgeEach.
func readAllDomains(ctx context.Context, session driver.Session) ([]store.Domain, error) {
	var found []store.Domain
	var d store.Domain
	var created, retention *int64
	var removed bool
	var durability string
	var settings map[string]string
	all := driver.Statement{CQL: scanDomains, Consistency: gocql.LocalQuorum, PageSize: 1000}
	err := driver.Each(ctx, session, all, func() {
		if created != nil && !removed {
			d.Durability = mail.Durability(durability)
			found = append(found, d)
		}
		created, retention, removed, durability = nil, nil, false, ""
	}, &d.Name, &created, &removed, &durability, &retention, &settings)
	return found, err
}
