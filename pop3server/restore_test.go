package pop3server_test

import (
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/task"
)

// A client that removed all messages sees them again after a restore, under the unique-ids and with the
// octets that it knows.
func TestRestoredMessagesKeepTheirUniqueIDs(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.AddSamples(t, 3)
	session := func(commands ...string) (unique, sizes string) {
		t.Helper()
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK")
		c.Do("UIDL", "+OK")
		unique = string(c.ReadMultiline())
		c.Do("LIST", "+OK")
		sizes = string(c.ReadMultiline())
		for _, command := range commands {
			c.Do(command, "+OK")
		}
		c.Do("QUIT", "+OK")
		return unique, sizes
	}
	unique, sizes := session("DELE 1", "DELE 2", "DELE 3")
	if strings.Count(unique, "\n") < 3 {
		t.Fatalf("unique-ids at first: %q", unique)
	}
	if left, _ := session(); strings.Contains(left, " ") {
		t.Fatalf("after the removal: %q", left)
	}
	u := task.NewUndelete(task.UndeleteConfig{}, f.Directory, f.Store)
	alice := mail.Address{Local: "alice", Domain: "example.test"}
	drop, err := f.Directory.Maildrop(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	report, err := u.RestoreIn(t.Context(), drop, task.RestoreSelection{}, time.Now().Add(time.Hour))
	if err != nil || report.Messages != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	if restored, again := session(); restored != unique || again != sizes {
		t.Errorf("restored %q %q, want %q %q", restored, again, unique, sizes)
	}
}
