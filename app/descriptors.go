package app

import (
	"golang.org/x/sys/unix"
)

// otherDescriptors is the number of open files of a server besides its connections: the store, the
// log, the listeners, the nodes of a cluster.
const otherDescriptors = 1500

// descriptors returns the number of open files that the configured limits allow. An incoming message
// takes a file besides its connection.
func (a *App) descriptors() uint64 {
	n := otherDescriptors
	count := func(addresses []string, connections int) {
		if len(addresses) > 0 {
			n += connections
		}
	}
	count(a.cfg.POP3.Listen, a.cfg.POP3.MaxConns)
	count(a.cfg.POP3S.Listen, a.cfg.POP3.MaxConns)
	count(a.cfg.SMTP.Listen, 2*a.cfg.SMTP.MaxConns)
	count(a.cfg.LMTP.Listen, 2*a.cfg.LMTP.MaxConns)
	n += a.cfg.Admin.MaxConnections // the socket
	count(a.cfg.Admin.Listen, a.cfg.Admin.MaxConnections)
	count(a.cfg.UserPage.Listen, a.cfg.UserPage.MaxConnections)
	count(a.cfg.Metrics.Listen, a.cfg.Metrics.MaxConnections)
	return uint64(n)
}

// checkDescriptors raises the limit of open files of this process to the need of the configured limits
// of connections, and warns if the system refuses.
func (a *App) checkDescriptors() {
	need := a.descriptors()
	have, err := raiseDescriptors(need)
	switch {
	case err != nil:
		a.logger.Warn("cannot read the limit of open files", "cause", err)
	case have < need:
		a.logger.Warn("the limit of open files is below what the limits of connections need: raise it (LimitNOFILE= of systemd, ulimit -n), or lower max_connections",
			"open_files", have, "needed", need)
	}
}

// raiseDescriptors raises the limit of open files to need, as far as the system allows, and returns
// the new limit.
func raiseDescriptors(need uint64) (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Cur >= need {
		return limit.Cur, nil
	}
	// Above the hard limit only with the privilege.
	for _, wanted := range []unix.Rlimit{{Cur: need, Max: max(need, limit.Max)}, {Cur: min(need, limit.Max), Max: limit.Max}} {
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &wanted) == nil {
			return wanted.Cur, nil
		}
	}
	return limit.Cur, nil
}
