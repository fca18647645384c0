// Package adminclient holds the request and response types of the administration API and a client
// for it. Package admin serves the API. The callers are the commands "popelago domain", "account",
// "task", "check", "clock" and "late", and tests.
//
//	GET    /healthz                       Health
//	GET    /v1/domains                    DomainList, a page
//	POST   /v1/domains                    NewDomain -> Domain
//	PUT    /v1/domains/{domain}/settings  DomainSettings -> Domain
//	GET    /v1/domains/{domain}           Domain
//	GET    /v1/domains/{domain}/settings  Settings
//	PATCH  /v1/domains/{domain}/settings  names and values -> Settings
//	GET    /v1/domains/{domain}/quota     DomainQuota
//	GET    /v1/domains/{domain}/quotas    QuotaList, a page
//	DELETE /v1/domains/{domain}
//	GET    /v1/domains/{domain}/accounts  AccountList, a page
//	POST   /v1/accounts                   NewAccount -> Account
//	POST   /v1/accounts/import            Import -> ImportReport
//	GET    /v1/accounts/{address}         AccountDetail
//	PUT    /v1/accounts/{address}/password  Password
//	PUT    /v1/accounts/{address}/state     State
//	PUT    /v1/accounts/{address}/retention Retention
//	PUT    /v1/accounts/{address}/bulk      -> Bulk
//	POST   /v1/accounts/{address}/rename    NewAddress -> Account
//	GET    /v1/accounts/{address}/settings  Settings
//	PATCH  /v1/accounts/{address}/settings  names and values -> Settings
//	GET    /v1/accounts/{address}/quota     Quota
//	DELETE /v1/accounts/{address}         Removal
//	GET    /v1/settings                   SettingInfoList
//	GET    /v1/tasks                      TaskList
//	POST   /v1/tasks/{name}/run           -> TaskRun
//	POST   /v1/check                      CheckOptions -> Check
//	GET    /v1/check                      Check
//	DELETE /v1/check                      -> Check
//	GET    /v1/late                       LateList
//	POST   /v1/late/hand-over             LateHandOver -> LateCount
//	POST   /v1/late/drop                  LateSelection -> LateCount
//	GET    /v1/alarms                     AlarmList
//	GET    /v1/tokens                     TokenList, a page
//	POST   /v1/tokens                     NewToken -> MadeToken
//	DELETE /v1/tokens/{id}                -> RevokedTokens
//	GET    /readyz                        Health
//	GET    /v1/server                     Service
//	PUT    /v1/server/drain               -> Service
//	DELETE /v1/server/drain               -> Service
//	GET    /v1/servers                    ServerList
//	GET    /v1/config                     SettingList
//	POST   /v1/config/reload              -> Reload
//	GET    /v1/log/level                  LogLevel
//	PUT    /v1/log/level                  NewLogLevel -> LogLevel
//	DELETE /v1/log/level                  -> LogLevel
//	GET    /v1/caller                     Caller
//
// Bodies are JSON. Errors are problem details (RFC 9457) and come back as *Error. The API is
// reached over the unix socket in the server's data folder, which the file system guards, or
// over HTTP with a bearer token (RFC 6750).
package adminclient
