package config

import (
	"time"

	"popelago/store/codec"
)

// setting is one line of the table.
type setting struct {
	// key is section.name, or name for the settings before the first section.
	key string
	// value has the field in a Config, and the range.
	value value
	// doc is the help for the reference, in full sentences.
	doc string
}

// section is a heading of the reference.
type section struct {
	name, doc string
}

func sections() []section {
	return []section{
		{"store", "Storage of messages and accounts."},
		{"cassandra", "The Apache Cassandra cluster, 4.1 or 5.0, for store.engine = \"cassandra\". \"popelago schema apply\" makes its tables, once."},
		{"pop3", "POP3 (RFC 1939), with STLS if there is a certificate. All settings except listen also apply to [pop3s]."},
		{"pop3s", "POP3 with TLS from the start (RFC 8314)."},
		{"smtp", "SMTP (RFC 5321), with STARTTLS if there is a certificate. The server accepts mail for its own accounts only, and never relays."},
		{"lmtp", "LMTP (RFC 2033), for delivery from a mail server in front of this one."},
		{"delivery", "Acceptance of messages, by SMTP and LMTP."},
		{"policy", "What accounts may do, unless the account or its domain has a setting of its own: \"popelago account set\", \"popelago domain set\"."},
		{"tls", "The certificate of all protocols, with TLS 1.2 and later. Changed files are read again."},
		{"auth", "Logins, passwords and addresses."},
		{"tasks", "Background work. \"popelago task list\" shows the jobs, \"popelago task run NAME\" runs a job now. Servers of one cluster share the work, and should have the same settings."},
		{"trace", "Records for the question where a message is: \"popelago trace\"."},
		{"audit", "Records for the question who it was: \"popelago audit\"."},
		{"events", "The queue of events, and the webhooks that get them: \"popelago event\"."},
		{"admin", "The administration API that the commands \"popelago domain\", \"popelago account\", \"popelago task\" and \"popelago check\" use."},
		{"userpage", "Web pages for users: their password, their sessions, their retention, and their removed messages."},
		{"metrics", "Metrics for Prometheus, at /metrics."},
		{"log", "The log, on standard error."},
	}
}

// settings returns the table for the fields of c.
func settings(c *Config) []setting {
	table := []setting{
		{"config_version", integer(&c.ConfigVersion, 1, maxCount).checked(checkVersion),
			"Version of the defaults that this file was written for. With it a later release keeps the defaults of this version; without it the defaults of the release count. Present version: 1."},
		{"hostname", text(&c.Hostname, "a host name such as \"mail.example.org\"", checkHostname),
			"Name of this host, in greetings and Received lines. Empty: the name of the machine."},
		{"data_dir", path(&c.DataDir, required),
			"Folder for all data; with store.engine = \"cassandra\" only for this server's own files. The server makes the folder if necessary, and only one server at a time can use it. A folder that every user may read or write is refused."},
		{"shutdown_timeout", duration(&c.ShutdownTimeout, 0, time.Hour),
			"Time for sessions to finish their command when the server stops; then their connections are closed."},
		{"drain_delay", duration(&c.DrainDelay, 0, time.Hour),
			"Time between \"popelago server drain\" and the first refused connection. The server is not ready (/readyz) from the start, so that a load balancer can take the server off its list meanwhile."},
		{"drain_timeout", duration(&c.DrainTimeout, 0, day),
			"Time for sessions to end by themselves after \"popelago server drain\" refuses new ones; then each session ends after its present command."},

		{"store.engine", oneOf(&c.Store.Engine, EngineEmbedded, EngineCassandra),
			"Storage engine: \"embedded\" stores all data in data_dir, \"cassandra\" in a cluster (see [cassandra])."},
		{"store.cache_size", size(&c.Store.CacheSize, mib, tib),
			"Memory for blocks read from the database, with store.engine = \"embedded\"."},
		{"store.reserve", size(&c.Store.Reserve, 0, tib).zeroIsOff(),
			"Free disk space below which mail is refused (452), with store.engine = \"embedded\". Removals still work, and reclaim space at once."},
		{"store.compression", oneOf(&c.Store.Compression, codec.MethodZstd, codec.MethodNone),
			"Compression of new contents: \"zstd\" compresses each content that becomes at least 5% smaller, \"none\" stores all contents as they are. Contents of both kinds are read with both values. A server of a release without compression refuses compressed contents: in a cluster, set \"none\" until the last server has the new release. A data folder used with \"zstd\" is refused by releases without compression."},
		{"store.clock_settle", duration(&c.Store.Settle, 0, day).zeroIsOff(),
			"Time after a start in which NTP may still correct the clock. In this time no message expires, and with store.engine = \"embedded\" the server follows a corrected clock after a fifteenth of it. Later a clock that is set by more than 5 minutes is not trusted: mail is refused (451), maildrops with a retention stay closed ([SYS/TEMP]), accounts and domains stay unchanged, and background work waits, until the clock is right or \"popelago clock trust\" declares it right."},
		{"store.max_stop", duration(&c.Store.MaxStop, 0, 3650*day).zeroIsOff(),
			"Longest time that the server may have been off, with store.engine = \"embedded\". A clock that is further ahead of the time when the server last ran is not trusted (see store.clock_settle). 0s: no limit."},
	}
	table = append(table, cassandraSettings(&c.Cassandra)...)
	table = append(table, []setting{
		{"pop3.listen", listen(&c.POP3.Listen, false),
			"Address to listen on, as host:port. \":110\" is port 110 of all addresses, \"0.0.0.0:110\" of all IPv4 addresses; \"[::]:110\" includes IPv4, unless an IPv4 address with the same port is listed, too. Several addresses are a list, [\"127.0.0.1:110\", \"[::1]:110\"], and share the limits. Empty: off."},
		{"pop3.max_connections", integer(&c.POP3.MaxConns, 1, maxCount),
			"Most connections at one time, for POP3 and POP3S each. At the limit a new connection displaces the oldest connection that has not logged in."},
		{"pop3.max_connections_per_address", integer(&c.POP3.MaxConnsPerAddr, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64). Clients on this machine are not counted."},
		{"pop3.proxy_networks", networks{&c.POP3.ProxyNetworks},
			proxyNetworks},
		{"pop3.max_line", size(&c.POP3.MaxLine, 512, 30*kib),
			"Longest command line. SASL responses may always have 12,288 octets (RFC 5034 section 4)."},
		{"pop3.max_bad_commands", integer(&c.POP3.MaxBadCommands, 1, maxCount),
			"Unknown, malformed or misplaced commands in one session; the next one ends the session."},
		{"pop3.max_harmless_commands", integer(&c.POP3.MaxHarmlessCommands, 10, maxCount),
			"Commands in a row that neither log in nor ask for a message (CAPA, NOOP, RSET, STAT, USER ...). The next one ends a session before login, and is answered a second later after login. Also the logins of a session that may fail by a fault of the storage."},
		{"pop3.login_timeout", duration(&c.POP3.LoginTimeout, 10*time.Second, time.Hour),
			"Time limit for a login, TLS handshake included; then the session ends."},
		{"pop3.drop_after", duration(&c.POP3.DropAfter, 100*time.Millisecond, time.Hour),
			"Least age of a connection without login before a new connection may displace it."},
		{"pop3.max_sessions_per_account", integer(&c.POP3.MaxSessionsPerAccount, 1, maxCount),
			"Most sessions of one account on this server at one time; the next login is refused ([IN-USE]). The sessions share the memory of the maildrop's list, but each session reads the whole list."},
		{"pop3.max_failed_logins", integer(&c.POP3.MaxFailedLogins, 1, maxCount),
			"Failed logins after which the session is closed. Values below 4 lock out ordinary mail programs, which try several mechanisms with one password."},
		{"pop3.failure_delay", duration(&c.POP3.FailureDelay, 0, 10*time.Second).zeroIsOff(),
			"Delay of the answer to the first failed login of a session. The delay doubles with each further failure, up to 16 times. 0s: no delay."},
		{"pop3.read_ahead", integer(&c.POP3.ReadAhead, 0, 100).zeroIsOff(),
			"Most messages of one session that are read from the cluster before their RETR or TOP is reached, if the client has sent these commands already (RFC 2449 section 6.6). Messages of 256 KiB together at most are read ahead. 0: a session reads one message after the other. Without effect with store.engine = \"embedded\", which hardly waits for a message."},
		{"pop3.idle_timeout", duration(&c.POP3.IdleTimeout, 10*time.Minute, day).because("RFC 1939 section 3"),
			"Time limit for the next whole command; then the session ends, and nothing is removed."},
		{"pop3.open_timeout", duration(&c.POP3.OpenTimeout, time.Second, time.Hour),
			"Time limit for reading the list of a maildrop at login. A large maildrop takes long while the nodes of a cluster repair missed writes. After the limit the client gets [SYS/TEMP], and its next login is faster, because the repaired part stays repaired."},
		{"pop3.write_timeout", duration(&c.POP3.WriteTimeout, time.Second, day),
			"Time limit for a client to read each 32 KiB."},
		{"pop3.login_delay", wholeSeconds(&c.POP3.LoginDelay, 0, day),
			"Least time between two logins to one maildrop, announced to clients (RFC 2449 section 6.5). 0s: none."},

		{"pop3.note_logins_every", duration(&c.Visits.LoginEvery, 0, 365*day).zeroIsOff(),
			"Least time between two notes about the last login of an account, on each server. \"popelago account show\" shows the last login, late by this time at most. 0s: logins are not noted."},
		{"pop3.max_waiting_notes", integer(&c.Visits.Waiting, 1000, maxCount),
			"Most notes about logins and retrieved messages that wait for the store, about 32 octets each. Further notes are dropped and counted: a message whose retrieval is not noted is kept longer."},

		{"pop3s.listen", listen(&c.POP3S.Listen, false),
			"Address to listen on, as host:port (usual port 995). Empty: off. POP3S needs a certificate, see [tls]."},
	}...)
	table = append(table, smtpSettings("smtp", &c.SMTP)...)
	table = append(table, smtpSettings("lmtp", &c.LMTP)...)
	table = append(table, []setting{
		{"delivery.max_message_size", size(&c.Delivery.MaxMessageSize, 64*kib, tib),
			"Largest message, announced to senders (RFC 1870). The default accepts attachments of 100 MB; the encoding of attachments adds a third."},
		{"delivery.max_received", integer(&c.Delivery.MaxReceived, 10, 10_000),
			"Most Received lines of an incoming message; a message with more counts as looping (RFC 5321 section 6.3 asks for at least 100)."},
		{"delivery.max_copies", integer(&c.Delivery.MaxCopies, 1, 100_000),
			"Most copies of a message for one maildrop, which gets a copy for each address that the sender names, as with tags or a catch-all. Further recipients are deferred (452), and the sender repeats the message for them."},
		{"delivery.max_unfinished", integer(&c.Delivery.MaxUnfinished, 1, 100),
			"Most space for all unfinished messages together, in percent of the free disk space. Further messages get 452. The first 256 KiB of each message are not counted, so that small mail passes."},
		{"delivery.max_unfinished_per_network", integer(&c.Delivery.MaxUnfinishedPerNetwork, 1, 100),
			"Most space for the unfinished messages from the SMTP clients of one network (IPv4: a /24; IPv6: a /48), in percent of the free disk space. An IPv6 /32 gets half of the way from here to max_unfinished. Clients on this machine, and LMTP clients, are not counted."},
		{"delivery.postmaster", address{&c.Delivery.Postmaster},
			"Account for mail to <postmaster> without a domain, and to the postmaster of hosted domains that have no such account (RFC 5321 section 4.5.1). Empty: none."},
		{"delivery.ledger_size", integer(&c.Ledger.Size, 1000, maxCount),
			"Most recipients in the ledger. The ledger holds deliveries that a sender will repeat although the message may be stored (a write timed out, a reply was lost, only some recipients were stored), so that the repetition makes no second copy. Each recipient takes about 200 octets."},
		{"delivery.ledger_keep", duration(&c.Ledger.Keep, time.Minute, 12*time.Hour),
			"Time that a delivery stays in the ledger. Senders should repeat within this time."},
		{"delivery.ledger_poll", duration(&c.Ledger.Poll, 100*time.Millisecond, time.Minute),
			"Pause between two reads of the ledger entries of the other servers in the datacenter, with store.engine = \"cassandra\". A sender whose message may be stored gets the error one and a half pauses later, so that the other servers know of the delivery by then."},

		{"tls.certificate", path(&c.TLS.Certificate, optional),
			"PEM file with the certificate and its chain. Empty: no certificate."},
		{"tls.key", path(&c.TLS.Key, optional),
			"PEM file with the private key of the certificate."},
		{"tls.self_signed", boolean(&c.TLS.SelfSigned),
			"Makes a self-signed certificate in data_dir and uses it. Only for trying out: mail programs warn."},
		{"tls.handshake_timeout", duration(&c.TLS.HandshakeTimeout, time.Second, time.Hour),
			"Time limit for a TLS handshake."},

		{"auth.allow_insecure_auth", boolean(&c.Auth.AllowInsecureAuth),
			"Allows logins without TLS from other machines. Every machine on the path can then read the passwords."},
		{"auth.default_domain", text(&c.Auth.DefaultDomain, "a domain such as \"example.org\"", checkDomain),
			"Domain of logins without @. Empty: such logins fail."},
		{"auth.alias_depth", integer(&c.Auth.MaxAliasDepth, 1, 100),
			"Most aliases and groups on the way from an address to an account. Mail for an address with a longer way is deferred (451)."},
		{"auth.alias_accounts", integer(&c.Auth.MaxAliasAccounts, 1, 100_000),
			"Most accounts that one address leads to by aliases and groups. Mail for an address with more is deferred (451)."},
		{"auth.min_password_length", integer(&c.Auth.MinPasswordLength, 1, 1024),
			"Fewest characters of a new password."},
		{"auth.credential_cache_ttl", duration(&c.Auth.CredentialTTL, 0, day).zeroIsOff(),
			"Time that a verified password stays cached after its last use (as a keyed digest), so that polling costs no password hash. 0s: no cache. Changed passwords and disabled accounts take effect at once."},
		{"auth.credential_cache_size", integer(&c.Auth.CredentialCacheSize, 1, maxCount),
			"Most verified passwords in the cache."},
		{"auth.address_cache_ttl", duration(&c.Auth.CacheTTL, 0, time.Hour).zeroIsOff(),
			"Time that an account read from the store stays cached. 0s: no cache. Changes made through this server take effect at once."},
		{"auth.elsewhere_per_second", integer(&c.Auth.ElsewherePerSecond, 1, maxCount),
			"Most questions a second to the other datacenters about addresses that are unknown or disabled here, and about passwords that are wrong here. The server asks before it reports the failure; above the limit it answers 451 or [SYS/TEMP]."},
		{"auth.elsewhere_domains_per_second", integer(&c.Auth.ElsewhereDomainsPerSecond, 1, maxCount),
			"Most questions a second to the other datacenters about domains that are not hosted here. The server asks before it denies relaying or refuses a login; above the limit it answers 451 or [SYS/TEMP]. Only strangers notice the limit: the server does not ask about hosted domains. An answer counts for address_cache_ttl."},
		{"auth.max_concurrent_hashes", integer(&c.Auth.MaxConcurrentHashes, 0, 1024),
			"Most password hashes computed at one time; each takes argon2_memory. 0: as many as leave one CPU free."},
		{"auth.max_waiting_hashes", integer(&c.Auth.MaxWaitingHashes, 1, maxCount),
			"Most logins that wait for a password hash. Networks take turns, and accounts that have logged in from their address before go first. Above the limit a login is refused at once ([SYS/TEMP])."},
		{"auth.penalty_after", integer(&c.Auth.PenaltyAfter, 0, maxCount).zeroIsOff(),
			"Failed logins without penalty from one address (IPv6: a /64); a network (/24, IPv6: /48) has 5 times as many, an IPv6 /32 25 times. Above the limit logins from there are checked one by one, with a pause that doubles with each failure; clients that do not wait are refused ([SYS/TEMP]). An account that has logged in from an address before is not held back there. 0: no penalties."},
		{"auth.penalty_max", duration(&c.Auth.PenaltyMax, time.Second, day),
			"Longest pause of a penalty."},
		{"auth.penalty_half_life", duration(&c.Auth.PenaltyHalfLife, time.Second, day),
			"Time until half of the failed logins are forgotten."},
		{"auth.penalty_memory", integer(&c.Auth.PenaltyMemory, 100, maxCount),
			"Most addresses, networks and accounts whose failures and logins are remembered; each takes up to 300 octets. The least recently used are forgotten first."},
		{"auth.known_for", duration(&c.Auth.KnownFor, time.Minute, 365*day),
			"Time after a login in which the account counts as known at the client's address."},
		{"auth.trusted_networks", networks{&c.Auth.TrustedNetworks},
			"Networks whose failed logins are not counted, for a proxy or webmail of many users. This machine is always trusted."},
		{"auth.argon2_memory", kibibytes(&c.Auth.Argon2Memory, 64*kib, gib),
			"Memory of one password hash (argon2id), in whole KiB. Existing hashes keep their own parameters."},
		{"auth.argon2_time", integer(&c.Auth.Argon2Time, 1, 1000),
			"Passes of one password hash."},
		{"auth.argon2_threads", integer(&c.Auth.Argon2Threads, 1, 64),
			"Threads of one password hash."},
	}...)
	table = append(table, policySettings(c)...)
	table = append(table, tasksSettings(c)...)
	table = append(table, traceSettings(c)...)
	table = append(table, eventsSettings(c)...)
	return append(table, []setting{
		{"admin.socket", path(&c.Admin.Socket, optional),
			"Unix socket of the API, for the user that runs the server only. Empty: admin.sock in data_dir."},
		{"admin.listen", listen(&c.Admin.Listen, false),
			"Address of the API for other machines, as host:port. Empty: off. Requests need a token there: see token_file and \"popelago token\". The API uses TLS if there is a certificate."},
		{"admin.token_file", path(&c.Admin.TokenFile, optional),
			"File with a secret that has all rights at admin.listen, on one line: at least 16 octets. A file that every user may read is refused. Empty: only tokens made by \"popelago token add\" count."},
		{"admin.token_cache_ttl", duration(&c.Admin.Tokens.CacheTTL, 100*time.Millisecond, time.Hour),
			"Time until this server notices a token that another server made or revoked."},
		{"admin.token_stale", duration(&c.Admin.Tokens.Stale, 0, day).zeroIsOff(),
			"Additional time for which known tokens count while the store cannot be read. Afterwards requests with a token get 503."},
		{"admin.token_used_every", duration(&c.Admin.Tokens.UsedEvery, time.Second, 30*day),
			"Pause between two notes about the last use of a token."},
		{"admin.max_tokens", integer(&c.Admin.Tokens.MaxTokens, 1, 100_000),
			"Most tokens in force, neither revoked nor expired."},
		{"admin.wrong_tokens", integer(&c.Admin.Tokens.WrongTokens, 1, maxCount),
			"Wrong tokens that one address (IPv6: one /64) may send at once; one more in each 10 seconds. Further tokens that this server does not know get 429. Clients on this machine are not counted."},

		{"admin.max_connections", integer(&c.Admin.MaxConnections, 1, maxCount),
			"Most connections at one time, to the socket and to admin.listen each; at the limit a new connection displaces the connection that has been idle longest, or waits."},
		{"admin.max_connections_per_address", integer(&c.Admin.MaxConnsPerAddr, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64); further ones are refused, unless one of the address is idle, which ends. Clients on this machine are not counted. Raise this for a proxy on another machine."},
		{"admin.advertise", adminURL(&c.Admin.Advertise),
			"URL of this server's API for the other servers of the cluster, which they find with the heartbeat. Empty: the sessions, the tasks and the load of this server are seen on this server only. Use https:// and a name of the certificate."},
		{"admin.peers", peers(&c.Admin.Peers),
			"Hosts of the other servers. For an answer about all servers, this server asks the others with the token of the caller. A host outside of this list gets no token, whatever the heartbeats say: everybody who can write to the cluster can write heartbeats. Empty: no other server is asked."},
		{"admin.peers_ca", path(&c.Admin.PeersCA, optional),
			"File with the authorities (PEM) of the certificates of the other servers. Empty: the authorities of the system."},
		{"admin.peers_plain", boolean(&c.Admin.PeersPlain),
			"Allows http:// to other machines: everybody on the way can read the tokens."},
		{"admin.peers_timeout", duration(&c.Admin.PeersTimeout, 100*time.Millisecond, time.Minute),
			"Time limit for the answer of another server. The answer of this server comes without the late part, and says so."},
		{"admin.peers_at_once", integer(&c.Admin.PeersAtOnce, 1, 1000),
			"Most other servers asked at the same time for one answer."},
		{"admin.console", boolean(&c.Admin.Console),
			"Serves the console, web pages for administrators, at /console/ of admin.listen. Administrators sign in with a token."},
		{"admin.console_session", duration(&c.Admin.ConsoleConfig.Session, time.Minute, 30*day),
			"Time after the sign-in for which a session of the console lasts. A session ends earlier with its token."},
		{"admin.console_streams", integer(&c.Admin.ConsoleConfig.Streams, 1, 10_000),
			"Most pages with live figures at one time. Each page asks all servers for their load again and again. A further page shows no live figures."},
		{"admin.console_refresh", duration(&c.Admin.ConsoleConfig.Every, 500*time.Millisecond, 10*time.Minute),
			"Pause between two live figures of a page."},
		{"admin.console_search_time", duration(&c.Admin.ConsoleConfig.Search, 100*time.Millisecond, time.Minute),
			"Time after which a page of a search is shown although it is not full, with a link to go on."},

		{"userpage.listen", listen(&c.UserPage.Listen, false),
			"Address of the pages for users, as host:port. Empty: off. The pages use TLS if there is a certificate. Without TLS users of other machines cannot sign in, unless auth.allow_insecure_auth is true."},
		{"userpage.max_connections", integer(&c.UserPage.MaxConnections, 1, maxCount),
			"Most connections at one time; at the limit a new connection displaces the connection that has been idle longest, or waits."},
		{"userpage.max_connections_per_address", integer(&c.UserPage.MaxConnsPerAddr, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64); further ones are refused, unless one of the address is idle, which ends. Clients on this machine are not counted. Raise this for a proxy on another machine."},
		{"userpage.session", duration(&c.UserPage.Session, time.Minute, 30*day),
			"Time after the sign-in for which a session of a user lasts."},

		{"metrics.listen", listen(&c.Metrics.Listen, false),
			"Address to listen on, as host:port. Empty: off. Every client that can connect can read the metrics."},
		{"metrics.max_connections", integer(&c.Metrics.MaxConnections, 1, maxCount),
			"Most connections at one time; at the limit a new connection displaces the connection that has been idle longest, or waits."},
		{"metrics.max_connections_per_address", integer(&c.Metrics.MaxConnsPerAddr, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64); further ones are refused, unless one of the address is idle, which ends. Clients on this machine are not counted. Raise this for a proxy on another machine."},

		{"log.level", oneOf(&c.Log.Level, "debug", "info", "warn", "error"),
			"Least important level in the log."},
		{"log.format", oneOf(&c.Log.Format, "text", "json"),
			"Format of the log lines."},
		{"log.summary_every", duration(&c.Log.SummaryEvery, time.Second, day),
			"Pause between two summary lines for events that strangers can cause without end (connections refused or dropped, failed TLS handshakes). The first event is logged at once."},
	}...)
}

// proxyNetworks describes a setting of POP3, SMTP and LMTP.
const proxyNetworks = "Networks of load balancers and proxies, such as [\"192.0.2.7/32\"], that name the client of each connection with the PROXY protocol (version 1 or 2). Limits, the log, the trace and the audit are about the named client then. Every connection from these networks must begin with such a header, before TLS; others are refused. A header from any other address is a syntax error. Empty: none."

// smtpSettings returns the part of the table for SMTP or LMTP.
func smtpSettings(name string, c *SMTP) []setting {
	where := "Address to listen on, as host:port (usual port 25). Empty: off."
	if name == "lmtp" {
		where = "Address to listen on, as host:port (usual port 24) or unix:/path. Empty: off. Every client that can connect can deliver: listen on this machine or a trusted network only."
	}
	return []setting{
		{name + ".listen", listen(&c.Listen, name == "lmtp"), where},
		{name + ".max_connections", integer(&c.MaxConns, 1, maxCount),
			"Most connections at one time. At the limit a new connection displaces the oldest connection that has not named a recipient."},
		{name + ".drop_after", duration(&c.DropAfter, 100*time.Millisecond, time.Hour),
			"Least age of a connection that has not named a recipient before a new connection may displace it."},
		{name + ".drop_sender_after", duration(&c.DropSenderAfter, 0, day).zeroIsOff(),
			"Time without a stored message, or a mebibyte of one, after which a new connection may displace a client that has named a recipient: at max_connections, the client of the network (IPv4 /24, IPv6 /48) with the most such clients, if the network of the new connection has fewer connections, or in the same way of the IPv6 /32. Senders on this machine stay. 0s: never."},
		{name + ".max_connections_per_address", integer(&c.MaxConnsPerAddr, 1, maxCount),
			"Most connections at one time from one address (IPv6: one /64). Clients on this machine are not counted."},
		{name + ".proxy_networks", networks{&c.ProxyNetworks},
			proxyNetworks},
		{name + ".max_line", size(&c.MaxLine, 2*kib, 30*kib),
			"Longest command line. Lines of messages have no limit."},
		{name + ".max_bad_commands", integer(&c.MaxBadCommands, 1, maxCount),
			"Unknown or malformed commands in one session; the next one ends the session."},
		{name + ".max_refused_recipients", integer(&c.MaxRefusedRecipients, 0, maxCount).zeroIsOff(),
			"Recipients refused permanently before a message of the session is stored; the next one ends the session, because a client that guesses addresses has many. 0: no limit, for a mail server in front that answers for its senders."},
		{name + ".max_harmless_commands", integer(&c.MaxHarmlessCommands, 0, maxCount).zeroIsOff(),
			"Commands other than recipients and messages (NOOP, RSET, MAIL, EHLO ...) before a message of the session is stored; the next one ends the session. 0: no limit."},
		{name + ".max_recipients", integer(&c.MaxRecipients, 100, 100_000).because("RFC 5321 section 4.5.3.1.8"),
			"Most recipients of one message; further recipients are deferred (452)."},
		{name + ".max_open_recipients", integer(&c.MaxOpenRecipients, 1, maxCount),
			"Most recipients of all messages in progress together; each takes about 350 octets of memory. A message has 100 recipients in any case, and further ones are deferred (452)."},
		{name + ".command_timeout", duration(&c.IdleTimeout, time.Second, day),
			"Time limit for the next command (5m in RFC 5321 section 4.5.3.2.7)."},
		{name + ".body_timeout", duration(&c.BodyTimeout, time.Second, day),
			"Time limit for each 16 KiB of a message."},
		{name + ".min_body_rate", size(&c.MinBodyRate, 0, mib),
			"Least average rate of a message, in octets a second, after body_timeout. 0: no limit."},
		{name + ".write_timeout", duration(&c.WriteTimeout, time.Second, day),
			"Time limit for a client to read each 32 KiB of replies."},
		{name + ".bare_lf", oneOf(&c.BareLF, BareLFRefuse, BareLFNormalize),
			"Treatment of a line feed without carriage return in a message. \"refuse\": the message is refused (550). \"normalize\": the line feed ends a line, and CRLF is stored; for senders that cannot be corrected. Signatures of such a message become invalid. In both cases a message ends at CRLF . CRLF only, and a command line at CRLF."},
	}
}
