package mailprogram

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// mozillaLogin is a program that saves the password of a profile.
//
//go:embed mozilla_login.py
var mozillaLogin string

// Thunderbird is Thunderbird without a screen, set up for one maildrop, with its memory of fetched messages.
// Its store is a Maildir. Thunderbird fetches at its start. Its memory does not depend on the port.
type Thunderbird struct {
	Target
	dir, profile string
}

// NewThunderbird prepares Thunderbird for a maildrop.
func NewThunderbird(t testing.TB, to Target) *Thunderbird {
	t.Helper()
	servertest.NeedProgram(t, "certutil", "libnss3-tools")
	b := &Thunderbird{Target: to, dir: servertest.ClientDir(t)}
	b.profile = filepath.Join(b.dir, "profile")
	if err := os.Mkdir(b.profile, 0o700); err != nil {
		t.Fatal(err)
	}
	database := "sql:" + b.profile
	servertest.Program{Dir: b.dir}.Must(t, "certutil", "-N", "-d", database, "--empty-password")
	servertest.Program{Dir: b.dir}.Must(t, "certutil", "-A", "-d", database, "-n", "test", "-t", "C,,", "-i", to.CAFile)
	program := filepath.Join(b.dir, "mozilla_login.py")
	servertest.WriteFile(t, program, mozillaLogin)
	servertest.Program{Dir: b.dir, Stdin: to.Password}.Must(t, "python3", program, b.profile, "mailbox://localhost", to.Address)
	return b
}

// preferences is the text of the profile's settings.
func (b *Thunderbird) preferences(keep bool) string {
	const server = "mail.server.server1."
	socketType := map[Security]int{Plain: 0, STLS: 2, TLS: 3}[b.Security]
	prefs := []struct {
		name  string
		value any
	}{
		{"mail.accountmanager.accounts", "account1"},
		{"mail.accountmanager.defaultaccount", "account1"},
		{"mail.account.account1.server", "server1"},
		{"mail.account.account1.identities", "id1"},
		{"mail.identity.id1.useremail", b.Address},
		{"mail.identity.id1.valid", true},
		{server + "type", "pop3"},
		{server + "hostname", "localhost"},
		{server + "userName", b.Address},
		{server + "name", "test"},
		{server + "socketType", socketType},
		{server + "authMethod", 3}, // password
		{server + "login_at_startup", true},
		{server + "download_on_biff", true},
		{server + "check_new_mail", true},
		{server + "leave_on_server", keep},
		{server + "directory-rel", "[ProfD]Mail/localhost"},
		{server + "storeContractID", "@mozilla.org/msgstore/maildirstore;1"},
		{"mail.provider.suppress_dialog_on_startup", true},
		{"mail.rights.version", 1},
		{"mail.shell.checkDefaultClient", false},
		{"mailnews.start_page.enabled", false},
		{"mailnews.start_page_override.mstone", "ignore"},
		{"app.update.enabled", false},
		{"datareporting.policy.dataSubmissionEnabled", false},
		{"toolkit.telemetry.enabled", false},
		{"network.captive-portal-service.enabled", false},
		{"network.connectivity-service.enabled", false},
		{"services.settings.server", ""},
		{"extensions.update.enabled", false},
	}
	text := fmt.Sprintf("user_pref(%q, %s);\n", server+"port", b.Port)
	for _, p := range prefs {
		if s, ok := p.value.(string); ok {
			p.value = fmt.Sprintf("%q", s)
		}
		text += fmt.Sprintf("user_pref(%q, %v);\n", p.name, p.value)
	}
	return text
}

// Fetch runs Thunderbird once and returns the messages of the run; expect is the expected number. Without
// keep Thunderbird also removes the messages from the server.
func (b *Thunderbird) Fetch(t testing.TB, keep bool, expect int) [][]byte {
	t.Helper()
	servertest.WriteFile(t, filepath.Join(b.profile, "user.js"), b.preferences(keep))
	inbox := filepath.Join(b.profile, "Mail", "localhost", "Inbox", "cur")
	// Thunderbird writes its state of the server after a session with changes.
	state := filepath.Join(b.profile, "Mail", "localhost", "popstate.dat")
	before, stateBefore := b.Logouts(), modified(state)
	cmd := exec.Command("thunderbird", "--headless", "--no-remote", "--profile", b.profile)
	cmd.Dir, cmd.Env = b.dir, servertest.CleanEnv(b.dir)
	proc := servertest.StartProcess(t, cmd)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		entries, err := os.ReadDir(inbox)
		switch {
		case !proc.Running():
			return fmt.Errorf("Thunderbird has ended: %s", servertest.Tail(proc.Out.String(), 2000))
		case err != nil:
			return err
		case len(entries) < expect:
			return fmt.Errorf("Thunderbird has fetched %d of %d messages", len(entries), expect)
		case b.Logouts() == before:
			return fmt.Errorf("Thunderbird has not ended its session")
		case keep && expect > 0 && modified(state).Equal(stateBefore):
			return fmt.Errorf("Thunderbird has not written its state")
		}
		return nil
	})
	proc.Signal(syscall.SIGTERM)
	proc.Wait(t, servertest.StopLimit)
	return TakeFiles(t, inbox)
}

// modified is the time of the last change of a file; the zero time without the file.
func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
