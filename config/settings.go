package config

import "time"

// setting is one line of the table: all that is to be known about a key.
type setting struct {
	// key is section.name, or name for the settings before the first section.
	key string
	// value is where it is kept in a Config, and what it takes.
	value value
	// doc is for the reference: what it is for, full sentences.
	doc string
}

// section is a heading of the reference.
type section struct {
	name, doc string
}

func sections() []section {
	return []section{
		{"store", "Where messages and accounts are kept."},
		{"cassandra", "The Apache Cassandra cluster, 4.1 or 5.0, if store.engine is \"cassandra\". \"popelago schema apply\" makes its tables, once."},
		{"pop3", "POP3 (RFC 1939), with STLS when there is a certificate. All but listen counts for [pop3s] too."},
		{"pop3s", "POP3 with TLS from the start (RFC 8314)."},
		{"smtp", "SMTP (RFC 5321), with STARTTLS when there is a certificate. Mail is only taken for accounts of this server, never relayed."},
		{"lmtp", "LMTP (RFC 2033), for delivery from a mail server beside this one."},
		{"delivery", "What messages are taken, by SMTP and LMTP."},
		{"tls", "The certificate of all protocols. The files are read again when they change. TLS 1.2 and later is spoken."},
		{"auth", "Logins and passwords."},
		{"tasks", "Background work. \"popelago task list\" tells what it does, \"popelago task run NAME\" makes it do something now. Servers of one cluster share it, and should be set alike."},
		{"admin", "The administration API that the commands \"popelago domain\", \"popelago account\", \"popelago task\" and \"popelago check\" use."},
		{"metrics", "Metrics for Prometheus, at /metrics."},
		{"log", "The log, on standard error."},
	}
}

// settings is the table, with its values kept in c.
func settings(c *Config) []setting {
	table := []setting{
		{"hostname", text(&c.Hostname, "a host name such as \"mail.example.org\"", checkHostname),
			"This host's name, in greetings and Received lines. Empty: the name of the machine."},
		{"data_dir", path(&c.DataDir, required),
			"The folder that everything is kept in; with store.engine = \"cassandra\" only what belongs to this server alone. It is made if need be. One server at a time can have it. It is refused where everybody may read or write it."},
		{"shutdown_timeout", duration(&c.ShutdownTimeout, 0, time.Hour),
			"How long a stopping server waits for sessions to finish what they are doing before it cuts them off."},

		{"store.engine", oneOf(&c.Store.Engine, EngineEmbedded, EngineCassandra),
			"The storage engine. \"embedded\" keeps everything in data_dir, \"cassandra\" in a cluster, see [cassandra]."},
		{"store.cache_size", size(&c.Store.CacheSize, mib, tib),
			"Memory for blocks read from the database, with store.engine = \"embedded\"."},
		{"store.reserve", size(&c.Store.Reserve, 0, tib),
			"Free disk space below which no mail is taken (452), with store.engine = \"embedded\". Removing goes on, and gives space back at once."},
		{"store.clock_settle", duration(&c.Store.ClockSettle, 0, day),
			"How long after a start the clock may still be put right, as NTP does: so long no message expires, and with store.engine = \"embedded\" a clock that is set is followed when it has been steady for a fifteenth of that. Later a clock that is set by more than 5 minutes is not trusted: no mail is taken (451), no maildrop with a retention is opened ([SYS/TEMP]), no account or domain is changed, and background work waits, until the clock is right or \"popelago clock trust\" says that it is."},
		{"store.max_stop", duration(&c.Store.MaxStop, 0, 3650*day),
			"How long the server may have been off, at most, with store.engine = \"embedded\": if the clock is further ahead than that of the time when the server last ran it is not trusted, see store.clock_settle. 0s: however long."},
	}
	table = append(table, cassandraSettings(&c.Cassandra)...)
	table = append(table, []setting{
		{"pop3.listen", listen(&c.POP3.Listen, false),
			"Where to listen, as host:port; \":110\" is port 110 of all addresses, \"0.0.0.0:110\" of those of IPv4; \"[::]:110\" takes IPv4 too, unless an address of IPv4 with this port is listed as well. Several are a list, [\"127.0.0.1:110\", \"[::1]:110\"]; the limits hold for all of them together. Empty: off."},
		{"pop3.max_connections", integer(&c.POP3.MaxConnections, 1, maxCount),
			"Most connections at one time, POP3 and POP3S each. When there are so many, the oldest one that has not logged in is dropped for a new one."},
		{"pop3.max_connections_per_address", integer(&c.POP3.MaxConnectionsPerAddress, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64). Clients on this machine are not counted."},
		{"pop3.max_line", size(&c.POP3.MaxLine, 512, 30*kib),
			"Longest command line. SASL responses may always have 12,288 octets (RFC 5034 section 4)."},
		{"pop3.max_bad_commands", integer(&c.POP3.MaxBadCommands, 1, maxCount),
			"How many unknown, malformed or misplaced commands a session may send; the next one ends it."},
		{"pop3.max_harmless_commands", integer(&c.POP3.MaxHarmlessCommands, 10, maxCount),
			"How many commands in a row that neither log in nor ask for a message (CAPA, NOOP, RSET, STAT, USER ...) a session may send. The next one ends a session that has not logged in; after login it is answered a second later."},
		{"pop3.login_timeout", duration(&c.POP3.LoginTimeout, 10*time.Second, time.Hour),
			"Ends a session that has not logged in after this time, its TLS handshake included."},
		{"pop3.drop_after", duration(&c.POP3.DropAfter, 100*time.Millisecond, time.Hour),
			"How old a connection that has not logged in must be to be dropped for a new one."},
		{"pop3.max_sessions_per_account", integer(&c.POP3.MaxSessionsPerAccount, 1, maxCount),
			"Most sessions of one account on this server at one time; the next login is refused ([IN-USE]). The sessions share the memory of the maildrop's list, but each of them reads the whole list."},
		{"pop3.max_failed_logins", integer(&c.POP3.MaxFailedLogins, 1, maxCount),
			"The failed login that ends a session. Mail programs try several mechanisms with one password on one connection: less than 4 is felt."},
		{"pop3.failure_delay", duration(&c.POP3.FailureDelay, 0, 10*time.Second),
			"How long the answer to the first failed login of a session waits; it doubles with each further one, up to 16 times as much. 0s: not at all."},
		{"pop3.idle_timeout", duration(&c.POP3.IdleTimeout, 10*time.Minute, day).because("RFC 1939 section 3"),
			"Ends a session that sends no whole command for this long. Nothing is removed then."},
		{"pop3.open_timeout", duration(&c.POP3.OpenTimeout, time.Second, time.Hour),
			"How long reading the list of a maildrop may take at login. A large maildrop takes long while the nodes of a cluster mend what they missed; beyond this the client is told to come later, [SYS/TEMP], and the next login goes on from what was mended."},
		{"pop3.write_timeout", duration(&c.POP3.WriteTimeout, time.Second, day),
			"How long a client may take to read each 32 KiB."},
		{"pop3.login_delay", wholeSeconds(&c.POP3.LoginDelay, 0, day),
			"The least time between two logins to one maildrop, told to clients (RFC 2449 section 6.5). 0s: none."},

		{"pop3s.listen", listen(&c.POP3S.Listen, false),
			"Where to listen, as host:port; the usual port is 995. Empty: off. It needs a certificate, see [tls]."},
	}...)
	table = append(table, smtpSettings("smtp", &c.SMTP)...)
	table = append(table, smtpSettings("lmtp", &c.LMTP)...)
	table = append(table, []setting{
		{"delivery.max_message_size", size(&c.Delivery.MaxMessageSize, 64*kib, tib),
			"Largest message, announced to senders (RFC 1870). The default takes attachments of 100 MB; the encoding of attachments adds a third."},
		{"delivery.max_received", integer(&c.Delivery.MaxReceived, 10, 10_000),
			"How many Received lines a message may bring along before it is taken for looping (RFC 5321 section 6.3 asks for at least 100)."},
		{"delivery.max_unfinished", integer(&c.Delivery.MaxUnfinished, 1, 100),
			"How much of the free disk space, in percent, messages may take together while they are still coming in. What is above gets 452. The first 256 KiB of each message are not counted, so that small mail passes."},
		{"delivery.max_unfinished_per_network", integer(&c.Delivery.MaxUnfinishedPerNetwork, 1, 100),
			"The same for the SMTP clients of one network (IPv4: a /24; IPv6: a /64). Clients on this machine, and of LMTP, are not counted."},
		{"delivery.postmaster", text(&c.Delivery.Postmaster, "a mail address such as \"admin@example.org\"", checkAddress),
			"The account that gets mail for <postmaster> without a domain, and for the postmaster of hosted domains that have no such account (RFC 5321 section 4.5.1). Empty: none."},
		{"delivery.ledger_size", integer(&c.Delivery.LedgerSize, 1000, maxCount),
			"For how many recipients it is remembered that a message may be stored though its sender does not know it (a write timed out, a reply was lost, only some recipients could be stored), so that the sender's second try makes no second copy. Each takes about 200 bytes."},
		{"delivery.ledger_keep", duration(&c.Delivery.LedgerKeep, time.Minute, 12*time.Hour),
			"How long that is remembered: as long as senders take to try again."},
		{"delivery.ledger_poll", duration(&c.Delivery.LedgerPoll, 100*time.Millisecond, time.Minute),
			"How often a server reads what the other servers of its datacenter remember, with store.engine = \"cassandra\". A sender whose message may be stored hears of its failure that much later, so that another server knows of it by then."},

		{"tls.certificate", path(&c.TLS.Certificate, optional),
			"PEM file with the certificate and the chain behind it. Empty: none."},
		{"tls.key", path(&c.TLS.Key, optional),
			"PEM file with the certificate's private key."},
		{"tls.self_signed", boolean(&c.TLS.SelfSigned),
			"Makes a self-signed certificate in data_dir and uses it. For trying out: mail programs will warn."},
		{"tls.handshake_timeout", duration(&c.TLS.HandshakeTimeout, time.Second, time.Hour),
			"How long a TLS handshake may take."},

		{"auth.allow_insecure_auth", boolean(&c.Auth.AllowInsecureAuth),
			"Allows logins without TLS from other machines. Whoever watches the network then learns the passwords."},
		{"auth.default_domain", text(&c.Auth.DefaultDomain, "a domain such as \"example.org\"", checkDomain),
			"The domain of logins that have no @. Empty: such logins fail."},
		{"auth.min_password_length", integer(&c.Auth.MinPasswordLength, 1, 1024),
			"Fewest characters of a new password."},
		{"auth.credential_cache_ttl", duration(&c.Auth.CredentialCacheTTL, 0, day),
			"How long a verified password is remembered after its last use (as a keyed digest), so that polling does not cost a password hash each time. 0s: not at all. Changed passwords and disabled accounts take effect at once all the same."},
		{"auth.credential_cache_size", integer(&c.Auth.CredentialCacheSize, 1, maxCount),
			"How many verified passwords are remembered."},
		{"auth.address_cache_ttl", duration(&c.Auth.AddressCacheTTL, 0, time.Hour),
			"How long an account found in the store is believed without looking again. 0s: not at all. Changes made through this server take effect at once all the same."},
		{"auth.elsewhere_per_second", integer(&c.Auth.ElsewherePerSecond, 1, maxCount),
			"How many times a second the other datacenters are asked about an address that is not known or is disabled here, or a password that is wrong here, before anybody is told so. Above that the answer is 451 or [SYS/TEMP]."},
		{"auth.elsewhere_domains_per_second", integer(&c.Auth.ElsewhereDomainsPerSecond, 1, maxCount),
			"How many times a second the other datacenters are asked about a domain that is not hosted here, before relaying is denied or a login is refused. Above that the answer is 451 or [SYS/TEMP]: only strangers hear it, since a domain that is hosted here is not asked about. An answer counts for address_cache_ttl."},
		{"auth.max_concurrent_hashes", integer(&c.Auth.MaxConcurrentHashes, 0, 1024),
			"Most password hashes computed at one time; each takes argon2_memory. 0: as many as leave one CPU free."},
		{"auth.max_waiting_hashes", integer(&c.Auth.MaxWaitingHashes, 1, maxCount),
			"Most logins that wait for a password hash. They are served network by network in turn, accounts that have logged in from their address before first. Above that a login is refused at once ([SYS/TEMP])."},
		{"auth.penalty_after", integer(&c.Auth.PenaltyAfter, 0, maxCount),
			"How many failed logins an address has free (IPv6: a /64); a network (/24, IPv6: /48) has 5 times as many, an IPv6 /32 25 times. Above that the logins from there are checked one by one, with a pause that doubles with each failure; who does not wait for it is refused ([SYS/TEMP]). An account that has logged in from an address before is not held back there. 0: no penalties."},
		{"auth.penalty_max", duration(&c.Auth.PenaltyMax, time.Second, day),
			"The longest of these pauses."},
		{"auth.penalty_half_life", duration(&c.Auth.PenaltyHalfLife, time.Second, day),
			"How long it takes until half of the failed logins are forgotten."},
		{"auth.penalty_memory", integer(&c.Auth.PenaltyMemory, 100, maxCount),
			"For how many addresses, networks and accounts failures and logins are remembered; each takes up to 300 bytes. Those used longest ago are forgotten first."},
		{"auth.known_for", duration(&c.Auth.KnownFor, time.Minute, 365*day),
			"How long after a login an account counts as known at the client's address."},
		{"auth.trusted_networks", networks(&c.Auth.TrustedNetworks),
			"Networks whose failed logins are not counted: a proxy or webmail that many users come through. This machine is one always."},
		{"auth.argon2_memory", size(&c.Auth.Argon2Memory, 64*kib, gib),
			"Memory of one password hash (argon2id), in whole KiB. Hashes made before keep what they were made with."},
		{"auth.argon2_time", integer(&c.Auth.Argon2Time, 1, 1000),
			"Passes of one password hash."},
		{"auth.argon2_threads", integer(&c.Auth.Argon2Threads, 1, 64),
			"Threads of one password hash."},
	}...)
	table = append(table, tasksSettings(&c.Tasks)...)
	return append(table, []setting{
		{"admin.socket", path(&c.Admin.Socket, optional),
			"The unix socket of the API. Only the user that runs the server may use it. Empty: admin.sock in data_dir."},
		{"admin.listen", listen(&c.Admin.Listen, false),
			"Where to offer the API to other machines, as host:port. Empty: off. It needs token_file, and uses TLS when there is a certificate."},
		{"admin.token_file", path(&c.Admin.TokenFile, optional),
			"File with the secret that clients of admin.listen send as a bearer token, on one line: 16 octets at least, and not for everybody to read."},

		{"admin.max_connections", integer(&c.Admin.MaxConnections, 1, maxCount),
			"Most connections at one time, to the socket and to admin.listen each; further ones wait."},

		{"metrics.listen", listen(&c.Metrics.Listen, false),
			"Where to listen, as host:port. Empty: off. Whoever can connect can read them."},
		{"metrics.max_connections", integer(&c.Metrics.MaxConnections, 1, maxCount),
			"Most connections at one time; further ones wait."},

		{"log.level", oneOf(&c.Log.Level, "debug", "info", "warn", "error"),
			"The least important level that is logged."},
		{"log.format", oneOf(&c.Log.Format, "text", "json"),
			"The form of the lines."},
		{"log.summary_every", duration(&c.Log.SummaryEvery, time.Second, day),
			"How often events that strangers can cause without end (connections refused or dropped, failed TLS handshakes) are summed up in one line. The first one is logged at once."},
	}...)
}

// smtpSettings is the part of the table that SMTP and LMTP have in common.
func smtpSettings(name string, c *SMTP) []setting {
	where := "Where to listen, as host:port; the usual port is 25. Empty: off."
	if name == "lmtp" {
		where = "Where to listen, as host:port (the usual port is 24) or unix:/path. Empty: off. Whoever can connect can deliver: keep it to this machine or network."
	}
	return []setting{
		{name + ".listen", listen(&c.Listen, name == "lmtp"), where},
		{name + ".max_connections", integer(&c.MaxConnections, 1, maxCount),
			"Most connections at one time. When there are so many, the oldest one that has not named a recipient is dropped for a new one."},
		{name + ".drop_after", duration(&c.DropAfter, 100*time.Millisecond, time.Hour),
			"How old a connection that has not named a recipient must be to be dropped for a new one."},
		{name + ".max_connections_per_address", integer(&c.MaxConnectionsPerAddress, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64). Clients on this machine are not counted."},
		{name + ".max_line", size(&c.MaxLine, 2*kib, 30*kib),
			"Longest command line. Lines of messages are not limited."},
		{name + ".max_bad_commands", integer(&c.MaxBadCommands, 1, maxCount),
			"How many unknown or malformed commands a session may send; the next one ends it."},
		{name + ".max_refused_recipients", integer(&c.MaxRefusedRecipients, 0, maxCount),
			"How many recipients a session may have refused for good before it brings a message that is stored; the next one ends the session: somebody is guessing addresses. 0: no limit, for a mail server in front that answers for its senders."},
		{name + ".max_harmless_commands", integer(&c.MaxHarmlessCommands, 0, maxCount),
			"How many commands other than recipients and messages (NOOP, RSET, MAIL, EHLO ...) a session may send before it brings a message that is stored; the next one ends the session. 0: no limit."},
		{name + ".max_recipients", integer(&c.MaxRecipients, 100, 100_000).because("RFC 5321 section 4.5.3.1.8"),
			"Most recipients of one message; further ones are told to come later (452)."},
		{name + ".command_timeout", duration(&c.CommandTimeout, time.Second, day),
			"How long to wait for a command (RFC 5321 section 4.5.3.2.7 has 5m)."},
		{name + ".body_timeout", duration(&c.BodyTimeout, time.Second, day),
			"How long to wait for each 16 KiB of a message."},
		{name + ".min_body_rate", size(&c.MinBodyRate, 0, mib),
			"The fewest octets a second that a message has to bring on average, after body_timeout. 0: no limit."},
		{name + ".write_timeout", duration(&c.WriteTimeout, time.Second, day),
			"How long a client may take to read each 32 KiB of replies."},
		{name + ".bare_lf", oneOf(&c.BareLF, BareLFRefuse, BareLFNormalize),
			"What a line feed without carriage return in a message means. \"refuse\": the message is refused (550). \"normalize\": a line ends there, and CRLF is stored, for senders that cannot do better; signatures over such a message do not hold any more. A message ends at CRLF . CRLF alone, and a command line at CRLF, in both cases."},
	}
}
