package cassandra_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// rule holds the rule of a statement.
type rule struct {
	// levels are the permitted consistencies. TestBackgroundProvesAtAll restricts the levels further,
	// by caller.
	levels string
	// timestamp checks the origin of the timestamp of a write, by the bound values. Nil for reads.
	timestamp func(v []any) bool
}

// Consistencies.
const (
	sessions = "LOCAL_QUORUM EACH_QUORUM ALL" // reads at the level of the view
	writes   = "LOCAL_QUORUM EACH_QUORUM"
	local    = "LOCAL_QUORUM"
	all      = "ALL"
	one      = "LOCAL_ONE"
)

// Origins of timestamps. i and j are positions in the list of values.

// timeOf is the time inside the id at j.
func timeOf(i, j int) func([]any) bool {
	return func(v []any) bool { return v[i].(int64) == mail.MessageID(v[j].(gocql.UUID)).Micros() }
}

// behindID is later than the time inside the id at j, or inside each id of a list.
func behindID(i, j int) func([]any) bool {
	return func(v []any) bool {
		ids, several := v[j].([]gocql.UUID)
		if !several {
			ids = []gocql.UUID{v[j].(gocql.UUID)}
		}
		return !slices.ContainsFunc(ids, func(id gocql.UUID) bool { return v[i].(int64) <= mail.MessageID(id).Micros() })
	}
}

// sameAs is the value at j.
func sameAs(i, j int) func([]any) bool {
	return func(v []any) bool { return v[i].(int64) == v[j].(int64) }
}

// notBefore is the value at j, or later.
func notBefore(i, j int) func([]any) bool {
	return func(v []any) bool { return v[i].(int64) >= v[j].(int64) }
}

// aheadOfNow is further ahead of now than any clock.
func aheadOfNow(i int) func([]any) bool {
	return func(v []any) bool {
		ahead := time.Until(time.UnixMicro(v[i].(int64)))
		return ahead > 9*time.Minute && ahead < 11*time.Minute
	}
}

// notAhead is not later than now.
func notAhead(i int) func([]any) bool {
	return func(v []any) bool { return v[i].(int64) <= time.Now().UnixMicro()+1 }
}

// given is any moment: callers that choose the moment have tests of their own.
func given(i int) func([]any) bool {
	return func(v []any) bool { return v[i].(int64) > 0 }
}

// rules returns the rules of all statements, by their names in cql.go. Fragments of statements have
// an empty rule.
func rules() map[string]rule {
	trashed := func(v []any) bool { // in the hour of the removal or later, and not before the message
		return v[6].(int64) == v[5].(int64) && int64(v[1].(int)) >= mail.MessageID(v[4].(gocql.UUID)).Micros()/3_600_000_000
	}
	keeping := func(v []any) bool { return v[7].(int64) == v[5].(int64) && trashed(append(v[:6:6], v[5])) }
	const doubtfulTTL = 8 * 24 * 60 * 60
	return map[string]rule{
		// The mailboxes.
		"insertMessage":  {writes, timeOf(8, 2)},
		"markBulk":       {writes, func(v []any) bool { return v[4].(int64)+v[3].(int64) == mail.MessageID(v[2].(gocql.UUID)).Micros() }},
		"messageColumns": {},
		"listMessages":   {sessions, nil},
		"listSlice":      {sessions, nil},
		"selectMessage":  {sessions, nil},
		"selectBulk":     {sessions, nil},
		"selectAlive":    {all, nil},
		"deleteMessages": {writes, behindID(0, 3)},
		"selectFloor":    {sessions, nil},
		"insertFloor":    {local, timeOf(2, 1)},
		"holdFloor":      {writes, func(v []any) bool { return v[1].(int64)-v[3].(int64) == 2*time.Hour.Microseconds() }},
		"deleteBelow":    {local, aheadOfNow(0)},

		// The contents.
		"insertFirstChunk":  {writes, timeOf(8, 0)},
		"insertChunk":       {writes, timeOf(3, 0)},
		"selectFirstChunk":  {one + " " + sessions, nil}, // a miss at one replica is no answer, see contentLevels
		"selectChunk":       {one + " " + sessions, nil},
		"selectContent":     {all, nil},
		"scanContents":      {local, nil},
		"scanContentsArc":   {local, nil},
		"contentColumns":    {},
		"listContents":      {sessions, nil},
		"selectContentRow":  {sessions, nil},
		"selectChunkNumber": {sessions, nil},
		"addRemoved":        {local, timeOf(0, 2)},
		"deleteChunk":       {local, behindID(0, 1)},

		// The trash, and background work.
		"insertTrash":             {writes, keeping},
		"insertBareTrash":         {writes, trashed},
		"insertDoubtfulTrash":     {writes, func(v []any) bool { return keeping(v[:8]) && v[8].(int) == doubtfulTTL }},
		"insertDoubtfulBareTrash": {writes, func(v []any) bool { return trashed(v[:7]) && v[7].(int) == doubtfulTTL }},
		"selectRemoved":           {sessions, nil},
		"selectTrash":             {all + " " + local, nil}, // LOCAL_QUORUM where ALL is out of reach
		"selectNamed":             {all, nil},
		"deleteTrash":             {local, notAhead(0)},
		"clearTrash":              {local, notAhead(0)},
		"selectProgress":          {local, nil},
		"insertProgress":          {local, sameAs(2, 1)},
		"selectScan":              {local, nil},
		"insertScan":              {local, notBefore(3, 2)},
		"selectNote":              {sessions, nil},
		"insertNote":              {writes, given(2)},

		// The retrievals and logins.
		"insertRetrieval": {writes, func(v []any) bool {
			return v[4].(int64)+v[3].(int64) == 2*time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() && v[3].(int64) >= mail.MessageID(v[2].(gocql.UUID)).Micros()
		}},
		"listRetrievals": {sessions, nil},
		"deleteRetrieval": {writes, func(v []any) bool { // no note for a message can be later
			return !slices.ContainsFunc(v[3].([]gocql.UUID), func(id gocql.UUID) bool {
				return v[0].(int64) < 2*time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()-mail.MessageID(id).Micros()
			})
		}},
		"insertLogin": {writes, sameAs(2, 1)},
		"selectLogin": {sessions, nil},

		// The journals.
		"insertTrace": {writes, sameAs(6, 3)},
		"listTrace":   {sessions, nil},
		"insertAudit": {writes, sameAs(6, 3)},
		"listAudit":   {sessions, nil},
		"insertQueue": {writes, sameAs(6, 3)},
		"listQueue":   {sessions, nil},

		"listTraceAfter": {sessions, nil},
		"listAuditAfter": {sessions, nil},
		"listQueueAfter": {sessions, nil},

		"insertMark": {writes, sameAs(4, 2)},
		"listMarks":  {sessions, nil},
		"noteTrash":  {local, sameAs(3, 2)},

		// The ledger.
		"insertAttempt": {writes, sameAs(14, 2)},
		"listAttempts":  {sessions, nil},
		"attemptRow":    {},
		"selectAttempt": {sessions, nil},
		"deleteAttempt": {writes, func(v []any) bool { return v[0].(int64) > v[3].(int64) }},

		// The servers.
		"insertServer":    {local, given(10)},
		"selectServers":   {local, nil},
		"deleteServer":    {local, given(0)},
		"selectWatermark": {local, nil},
		"insertWatermark": {local, notBefore(2, 1)}, // wins over a watermark of a later time

		"scanWatermarks":    {local, nil},
		"scanWatermarksArc": {local, nil},

		// The directory.
		"readOptions":        {},
		"addressColumns":     {},
		"selectAddresses":    {sessions, nil},
		"listAddresses":      {sessions, nil},
		"searchAddresses":    {sessions, nil},
		"selectAddressTimes": {sessions, nil},
		"selectDomain":       {sessions, nil},
		"scanDomains":        {sessions, nil},
		"scanDomainsArc":     {sessions, nil},
		"scanRemovedArc":     {sessions, nil},
		"scanRemoved":        {sessions, nil},
		"selectDomainTimes":  {sessions, nil},
		"updateAddress":      {writes, given(0)}, // above the timestamps of the row: see TestChangesAboveAClockThatWasAhead
		"updateDomain":       {writes, given(0)},

		// The tokens.
		"scanTokens":  {sessions, nil},
		"scanArc":     {sessions, nil},
		"insertToken": {writes, sameAs(8, 6)},
		"revokeToken": {writes, sameAs(0, 1)},
		"useToken":    {writes, sameAs(0, 1)},

		// The schema, and the system tables of nodes.
		"createVersions":        {},
		"selectVersions":        {local + " EACH_QUORUM", nil}, // the second as a probe, before a return from another datacenter
		"insertVersion":         {"EACH_QUORUM", sameAs(2, 1)},
		"selectLocalDatacenter": {one, nil},
		"selectDatacenters":     {one, nil},
		"selectReplication":     {one, nil},
		"selectColumns":         {one, nil},
		"selectVersionTable":    {one, nil},
		"selectRelease":         {one, nil},
		"selectLocalNode":       {one, nil},
		"selectPeers":           {one, nil},
		"selectSchemaVersion":   {"ONE", nil},
		"selectSchemaVersions":  {"ONE", nil},
		"selectKeyspaces":       {one, nil},
		"selectSystemTables":    {one, nil},
		"selectLocalColumns":    {one, nil},
		"selectTableOptions":    {one, nil},
		"selectDurableWrites":   {one, nil},
		"selectRepairs":         {"QUORUM ONE", nil},
		"selectClock":           {one + " ONE", nil},
		"selectHeartbeats":      {one, nil},
		"selectSettings":        {one, nil},
		"selectProbe":           {"ONE", nil},
		"selectPeerAddresses":   {"ONE " + one, nil},
		"selectHints":           {"ONE", nil},
		"selectDispatchers":     {"ONE", nil},
		"selectHintSettings":    {"ONE", nil},
	}
}

// built maps the beginnings of statements that functions compose to their names.
var built = map[string]string{"UPDATE address ": "updateAddress", "UPDATE domain ": "updateDomain"}

// named holds the texts of all constants of cql.go.
var named = func() map[string]string {
	texts, err := enginetest.Statements("cql.go")
	if err != nil {
		panic(err)
	}
	return texts
}()

// byText maps the text of a statement to its name.
var byText = func() map[string]string {
	names := map[string]string{}
	for name, text := range named {
		names[text] = name
	}
	return names
}()

var allRules = rules()

// nameOf returns the name of a statement, or "".
func nameOf(cql string) string {
	if name := byText[cql]; name != "" {
		return name
	}
	for begin, name := range built {
		if strings.HasPrefix(cql, begin) {
			return name
		}
	}
	for _, name := range []string{"selectVersions", "insertVersion"} { // for some keyspace
		before, behind, _ := strings.Cut(named[name], "%s")
		if strings.HasPrefix(cql, before) && strings.HasSuffix(cql, behind) {
			return name
		}
	}
	return ""
}

// judgeStatement compares an executed statement with its rule.
func judgeStatement(s cassandra.Statement) error {
	name := nameOf(s.CQL)
	r, ok := allRules[name]
	wrong := func(what string) error { return fmt.Errorf("%s: %s, in %s", name, what, s.CQL) }
	switch {
	case !ok:
		return wrong("it is not in the table of statements")
	case !slices.Contains(strings.Fields(r.levels), s.Consistency):
		return wrong("it is executed at " + s.Consistency)
	case !s.Idempotent:
		return wrong("it is not idempotent")
	case r.timestamp == nil:
		return nil
	}
	for _, values := range s.Values {
		if !r.timestamp(values) {
			return wrong(fmt.Sprintf("its timestamp is another, in %v", values))
		}
	}
	return nil
}

// Every text of cql.go has a rule, and every write there an explicit timestamp. All tests of this
// package compare their statements with the rules.
func TestStatementTable(t *testing.T) {
	statements := maps.Clone(named)
	for begin, name := range built {
		statements[name] = begin + "USING TIMESTAMP ?"
	}
	for name, text := range statements {
		r, ok := allRules[name]
		verb, _, _ := strings.Cut(text, " ")
		switch writes := verb == "INSERT" || verb == "UPDATE" || verb == "DELETE"; {
		case !ok:
			t.Errorf("%s is not in the table: %s", name, text)
		case writes != (r.timestamp != nil):
			t.Errorf("%s: the table tells of a timestamp %v: %s", name, r.timestamp != nil, text)
		case writes && !strings.Contains(text, "TIMESTAMP ?"):
			t.Errorf("%s has no timestamp: %s", name, text)
		case verb != "CREATE" && strings.Contains(strings.ToUpper(text), " IF "):
			t.Errorf("%s has a condition: %s", name, text)
		}
		if r.levels == all && strings.Contains(text, "segment IN") || strings.Contains(text, "chunk IN") {
			t.Errorf("%s asks for several partitions at ALL: %s", name, text)
		}
	}
	for name := range allRules {
		if statements[name] == "" {
			t.Errorf("the table has a rule for %s, which is not in cql.go", name)
		}
	}
}
