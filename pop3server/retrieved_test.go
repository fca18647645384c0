package pop3server_test

import (
	"slices"
	"strings"
	"testing"

	"popelago/account"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// visits records the calls of Config.LoggedIn and Config.Retrieved.
type visits struct {
	logins    chan mail.MailboxID
	retrieved chan []mail.MessageID
}

func (v visits) config() pop3server.Config {
	return pop3server.Config{
		LoggedIn:  func(l account.Login) { v.logins <- l.Mailbox },
		Retrieved: func(_ account.Login, ids []mail.MessageID) { v.retrieved <- ids },
	}
}

// Retrievals count at the end of the session: whole messages that the client has and that stay. Without the
// policy no session reports any.
func TestRetrieved(t *testing.T) {
	v := visits{make(chan mail.MailboxID, 100), make(chan []mail.MessageID, 100)}
	f := pop3test.New(t, openStore(t), v.config(), false)
	rows := []mail.Message{f.Add(t, f.Alice, "a: b\r\n\r\none\r\n", ""), f.Add(t, f.Alice, "a: b\r\n\r\ntwo\r\n", ""), f.Add(t, f.Alice, "a: b\r\n\r\nthree\r\n", "")}
	session := func(commands ...string) {
		t.Helper()
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK")
		if got := <-v.logins; got != f.Alice {
			t.Errorf("login to %s", got)
		}
		for _, command := range commands {
			if together, ok := strings.CutPrefix(command, "> "); ok { // sent without a pause
				c.Send(strings.ReplaceAll(together, " + ", "\r\n") + "\r\n")
				for sent := range strings.SplitSeq(together, " + ") {
					if c.Expect("+OK"); strings.HasPrefix(sent, "RETR") {
						c.ReadMultiline()
					}
				}
				continue
			}
			if command == "hang up" {
				c.Close()
				return
			}
			c.Do(command, "+OK")
			if strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "TOP") {
				c.ReadMultiline()
			}
		}
		c.Close()
	}
	set := func(text string) {
		t.Helper()
		if err := f.Directory.SetAccountSettings(t.Context(), mail.Address{Local: "alice", Domain: "example.test"}, map[string]string{account.SettingAfterRetrieval: text}); err != nil {
			t.Fatal(err)
		}
	}
	// want checks the first report since the last one: a session without a report is followed by another.
	want := func(what string, numbers ...int) {
		t.Helper()
		var ids []mail.MessageID
		for _, n := range numbers {
			ids = append(ids, rows[n-1].ID)
		}
		if got := <-v.retrieved; !slices.Equal(got, ids) {
			t.Errorf("%s: %d messages %v, want %v", what, len(got), got, numbers)
		}
	}
	session("RETR 1", "QUIT") // no policy
	set("14d")
	session("RETR 2", "TOP 1 100", "NOOP", "QUIT")
	want("the policy, and TOP", 2)
	session("RETR 1", "NOOP", "hang up")
	want("a session without QUIT", 1)
	session("RETR 3", "RETR 1", "DELE 1", "hang up")
	want("a mark without QUIT", 1, 3)
	session("RETR 1", "hang up") // perhaps the client does not have the message
	session("TOP 1 1000", "LIST 1", "QUIT")
	session("> RETR 1 + RETR 2 + QUIT")
	want("all at once, with QUIT", 1, 2)
	session("RETR 1", "RETR 2", "DELE 2", "QUIT")
	want("without the removed message", 1)
	set("forever")
	session("RETR 1", "QUIT")
	set("1h")
	session("RETR 2", "QUIT")
	want("the policy again", 3)
}

// EXPIRE announces the least time that a message may stay: after login the account's, before login of all.
func TestExpireAfterRetrieval(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	announced := func(want string) {
		t.Helper()
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Expect("+OK")
		c.Do("CAPA", "+OK")
		before := string(c.ReadMultiline())
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK")
		c.Do("CAPA", "+OK")
		after := string(c.ReadMultiline())
		c.Do("QUIT", "+OK")
		user := want
		if want != "NEVER" {
			user += " USER"
		}
		if !strings.Contains(before, "EXPIRE "+user+"\r\n") || !strings.Contains(after, "EXPIRE "+want+"\r\n") {
			t.Errorf("want %s, before login %q, after login %q", want, before, after)
		}
	}
	alice := mail.Address{Local: "alice", Domain: "example.test"}
	announced("NEVER")
	for _, step := range []struct{ retention, afterRetrieval, want string }{
		{"none", "14d", "14"}, {"30d", "14d", "14"}, {"7d", "14d", "7"}, {"7d", "forever", "7"},
	} {
		err := f.Directory.SetAccountSettings(t.Context(), alice, map[string]string{"retention": step.retention, account.SettingAfterRetrieval: step.afterRetrieval})
		if err == nil {
			err = f.Directory.LearnRetentions(t.Context(), true)
		}
		if err != nil {
			t.Fatal(err)
		}
		announced(step.want)
	}
}
