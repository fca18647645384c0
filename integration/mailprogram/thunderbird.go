package mailprogram

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Thunderbird is Thunderbird without a screen, set up for maildrops of one server, with its memory of fetched
// messages. Its stores are Maildirs. Thunderbird fetches from all maildrops at its start. Its memory does not
// depend on the port.
type Thunderbird struct {
	Targets      []Target
	dir, profile string
}

// NewThunderbird prepares Thunderbird for maildrops.
func NewThunderbird(t testing.TB, to ...Target) *Thunderbird {
	t.Helper()
	servertest.NeedProgram(t, "certutil", "libnss3-tools")
	b := &Thunderbird{Targets: to, dir: servertest.ClientDir(t)}
	b.profile = filepath.Join(b.dir, "profile")
	if err := os.Mkdir(b.profile, 0o700); err != nil {
		t.Fatal(err)
	}
	database := "sql:" + b.profile
	servertest.Program{Dir: b.dir}.Must(t, "certutil", "-N", "-d", database, "--empty-password")
	servertest.Program{Dir: b.dir}.Must(t, "certutil", "-A", "-d", database, "-n", "test", "-t", "C,,", "-i", to[0].CAFile)
	program := filepath.Join(b.dir, "mozilla_login.py")
	servertest.WriteFile(t, program, mozillaLogin)
	var passwords string
	users := []string{program, b.profile, "mailbox://localhost"}
	for _, x := range to {
		passwords += x.Password + "\n"
		users = append(users, x.Address)
	}
	servertest.Program{Dir: b.dir, Stdin: passwords}.Must(t, "python3", users...)
	return b
}

// preferences is the text of the profile's settings.
func (b *Thunderbird) preferences(keep bool) string {
	type pref struct {
		name  string
		value any
	}
	prefs := []pref{
		{"mail.accountmanager.defaultaccount", "account1"},
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
	var accounts []string
	text := ""
	for i, to := range b.Targets {
		account, id := fmt.Sprintf("account%d", i+1), fmt.Sprintf("id%d", i+1)
		accounts = append(accounts, account)
		server := fmt.Sprintf("mail.server.server%d.", i+1)
		socketType := map[Security]int{Plain: 0, STLS: 2, TLS: 3}[to.Security]
		prefs = append(prefs,
			pref{"mail.account." + account + ".server", fmt.Sprintf("server%d", i+1)},
			pref{"mail.account." + account + ".identities", id},
			pref{"mail.identity." + id + ".useremail", to.Address},
			pref{"mail.identity." + id + ".valid", true},
			pref{server + "type", "pop3"},
			pref{server + "hostname", "localhost"},
			pref{server + "userName", to.Address},
			pref{server + "name", account},
			pref{server + "socketType", socketType},
			pref{server + "authMethod", 3}, // password
			pref{server + "login_at_startup", true},
			pref{server + "download_on_biff", true},
			pref{server + "check_new_mail", true},
			pref{server + "leave_on_server", keep},
			pref{server + "directory-rel", "[ProfD]Mail/" + folder(i)},
			pref{server + "storeContractID", "@mozilla.org/msgstore/maildirstore;1"},
		)
		text += fmt.Sprintf("user_pref(%q, %s);\n", server+"port", to.Port)
	}
	prefs = append(prefs, pref{"mail.accountmanager.accounts", strings.Join(accounts, ",")})
	for _, p := range prefs {
		if s, ok := p.value.(string); ok {
			p.value = fmt.Sprintf("%q", s)
		}
		text += fmt.Sprintf("user_pref(%q, %v);\n", p.name, p.value)
	}
	return text
}

// folder is the folder of a maildrop. Thunderbird would choose the same names.
func folder(i int) string {
	if i == 0 {
		return "localhost"
	}
	return fmt.Sprintf("localhost-%d", i)
}

// Fetch runs Thunderbird once and returns the messages of the run for each maildrop; expect holds the expected
// numbers. Without keep Thunderbird also removes the messages from the server.
func (b *Thunderbird) Fetch(t testing.TB, keep bool, expect ...int) [][][]byte {
	t.Helper()
	servertest.WriteFile(t, filepath.Join(b.profile, "user.js"), b.preferences(keep))
	type maildrop struct {
		Target
		expect       int
		inbox, state string // Thunderbird writes its state of the server after a session with changes
		before       int
		stateBefore  time.Time
	}
	var maildrops []maildrop
	for i, to := range b.Targets {
		dir := filepath.Join(b.profile, "Mail", folder(i))
		state := filepath.Join(dir, "popstate.dat")
		maildrops = append(maildrops, maildrop{to, expect[i], filepath.Join(dir, "Inbox", "cur"), state, to.Logouts(), modified(state)})
	}
	cmd := exec.Command("thunderbird", "--headless", "--no-remote", "--profile", b.profile)
	cmd.Dir, cmd.Env = b.dir, servertest.CleanEnv(b.dir)
	proc := servertest.StartProcess(t, cmd)
	for _, m := range maildrops {
		mailtest.WaitForProgress(t, 10*time.Minute, func() (int64, error) {
			entries, err := os.ReadDir(m.inbox)
			done := int64(len(entries))
			switch {
			case !proc.Running():
				return done, fmt.Errorf("Thunderbird has ended: %s", servertest.Tail(proc.Out.String(), 2000))
			case err != nil:
				return done, err
			case len(entries) < m.expect:
				return done, fmt.Errorf("Thunderbird has fetched %d of %d messages for %s", len(entries), m.expect, m.Address)
			case m.Logouts() == m.before:
				return done, fmt.Errorf("Thunderbird has not ended its session for %s", m.Address)
			case keep && m.expect > 0 && modified(m.state).Equal(m.stateBefore):
				return done, fmt.Errorf("Thunderbird has not written its state for %s", m.Address)
			}
			return done, nil
		})
	}
	proc.Signal(syscall.SIGTERM)
	proc.Wait(t, servertest.StopLimit)
	var fetched [][][]byte
	for _, m := range maildrops {
		fetched = append(fetched, TakeFiles(t, m.inbox))
	}
	return fetched
}

// modified is the time of the last change of a file; the zero time without the file.
func modified(name string) time.Time {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
