package cluster_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/enginetest"
)

// productStatements returns the constants of the engine's file cql.go, by name.
func productStatements(t testing.TB) map[string]string {
	t.Helper()
	texts, err := enginetest.Statements("../../store/cassandra/cql.go")
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// isStatement reports whether a constant is a whole statement on rows.
func isStatement(text string) bool {
	verb, _, _ := strings.Cut(text, " ")
	return slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb)
}

// A statement of the engine that the cluster does not understand makes a simulation worthless. With null for all
// values, a statement that is understood is refused for its key only.
func TestEveryStatementIsUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		statements := productStatements(t)
		understood := 0
		for _, name := range slices.Sorted(maps.Keys(statements)) {
			cql := strings.ReplaceAll(statements[name], "%s", "mail")
			if !isStatement(cql) {
				continue
			}
			values := make([]any, strings.Count(cql, "?"))
			err := w.exec(gocql.One, cql, values...)
			if err != nil && !strings.Contains(err.Error(), "Invalid null value") {
				t.Errorf("%s: %v", name, err)
			}
			understood++
		}
		if understood < 60 {
			t.Errorf("only %d statements were found", understood)
		}
	})
}

func TestUnknownStatementIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		for _, cql := range []string{
			"", "GRANT SELECT ON mail TO x", "SELECT v FROM entry WHERE k = ? AND v = ?", "SELECT max(v) FROM entry WHERE k = 1", "INSERT INTO entry (k, c) VALUES (1, 1) IF NOT EXISTS",
			"SELECT nothing FROM entry", "SELECT v FROM nowhere", "SELECT v FROM entry WHERE k IN (1, 2)", "SELECT x FROM system_views.nothing",
			"UPDATE entry SET v = v + ? WHERE k = 1 AND c = 1", "DELETE FROM entry WHERE c = 1", "SELECT 'a FROM entry",
		} {
			err := w.exec(gocql.One, cql, make([]any, strings.Count(cql, "?"))...)
			answer, ok := err.(gocql.RequestError)
			if !ok || answer.Code() != gocql.ErrCodeInvalid {
				t.Errorf("%s: %v, want an error with the code invalid", cql, err)
			}
		}
	})
}
