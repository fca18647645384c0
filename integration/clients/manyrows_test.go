package clients

import (
	"flag"
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/console"
	"popelago/console/consoletest"
	"popelago/integration/browser"
	"popelago/integration/servertest"
	"popelago/mail"
	"popelago/store"
)

// rows is the number of accounts of the domain, and of messages in a maildrop.
const rows = 100_000

// rowsAddress is the n-th address of the domain.
func rowsAddress(n int) string { return fmt.Sprintf("user%05d@%s", n, servertest.Domain) }

// fill makes the accounts, each with a record in the audit, and fills the maildrop of the first.
func fill(t *testing.T, site *consoletest.Site, st store.Store) (began time.Time) {
	t.Helper()
	if _, err := site.API.AddDomain(t.Context(), servertest.Domain); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < rows; {
		var i adminclient.Import
		for range 1000 {
			i.Accounts = append(i.Accounts, adminclient.ImportedAccount{Address: rowsAddress(n)})
			n++
		}
		report, err := site.API.Import(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range report.Accounts {
			if a.Outcome != adminclient.ImportMade {
				t.Fatalf("%+v", a)
			}
		}
	}
	a, err := mail.ParseAddress(rowsAddress(0))
	if err != nil {
		t.Fatal(err)
	}
	mailbox := mail.DeriveMailboxID(a, mail.MessageID{})
	began = time.Now().Add(-rows * time.Second).Truncate(time.Second)
	for n := 0; n < rows; {
		var entries []store.Entry
		for range 1000 {
			m := mail.Message{ID: mail.MinMessageID(began.Add(time.Duration(n) * time.Second)), Size: int64(n + 1), Recipient: rowsAddress(0)}
			entries = append(entries, store.Entry{Mailbox: mailbox, Message: m})
			n++
		}
		for _, err := range st.Mail.Local.AddMessages(t.Context(), entries) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return began
}

// manyRows visits pages with many rows.
type manyRows struct {
	t       *testing.T
	page    *browser.Page
	console string
	seen    int
}

// TestManyRows: with 100,000 accounts, messages and records, each page of the console has a bounded number of rows,
// and leads to the next page, up to the last. No row is missing, and none is shown twice.
func TestManyRows(t *testing.T) {
	servertest.NeedProgram(t, "chromium", "chromium")
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
	var st store.Store
	site := consoletest.Start(t, consoletest.Setup{
		Console: console.Config{Search: time.Hour}, // a busy machine examines all accounts
		Wrap: func(s store.Store) store.Store {
			st = s
			return s
		},
	})
	fill(t, site, st)
	v := &manyRows{t: t, page: browser.Start(t).Page(t), console: site.URL + console.Root}
	v.page.Open(v.console + "signin")
	v.page.Fill("Access token", consoletest.Secret)
	v.press("Sign in", 1)
	v.accounts()
	v.messages()
	v.records()
	v.open(name("quotas?domain=", servertest.Domain)+"&above=0", 500, "user00000@", "user00499@")
	v.press("Next page", 500, "user00500@", "user00999@")
	v.open(name("quotas?domain=", servertest.Domain), 0, "No account of the domain uses so much")
	v.all(site)
}

func (v *manyRows) accounts() {
	accounts := name("accounts?domain=", servertest.Domain)
	v.open(accounts, 50, "user00000@", "user00049@")
	v.press("Next page", 50, "user00050@", "user00099@")
	v.press("Next page", 50, "user00100@", "user00149@")
	v.page.Back()
	v.see(50, "user00050@")
	v.press("First page", 50, "user00000@")
	v.look(360)
	v.page.Fill("Begins with", "user9995")
	v.press("Search", 10, "user99950@", "user99959@")
	v.last()
	v.page.Fill("Begins with", "")
	v.page.Fill("Contains", "9999")
	v.press("Search", 19, "user09999@", "user19999@", "user99999@")
	v.last()
	v.page.Fill("Contains", "nobody")
	v.press("Search", 0, "No account is selected")
	v.last()
	v.page.Fill("Contains", "")
	v.page.Tick("with their use")
	v.press("Search", 50, "user00000@", "100000")
	v.open(accounts+"&after=user99899", 50, "user99900@")
	v.press("Next page", 50, "user99950@", "user99999@")
	v.last()
	v.open(name("account?address=", rowsAddress(rows-1)), 0, rowsAddress(rows-1))
}

func (v *manyRows) messages() {
	v.open(name("account?address=", rowsAddress(0)), 0, "100000, ")
	v.press("Maildrop", 50, "\n1\t", "\n50\t")
	v.press("Next page", 50, "\n51\t", "\n100\t")
	v.page.Back()
	v.see(50, "\n1\t")
	v.page.Tick("newest first")
	v.press("Select", 50, "\n100000\t", "\n99951\t")
	v.press("Next page", 50, "\n99950\t", "\n99901\t")
	v.press("First page", 50, "\n100000\t")
	v.look(360)
	v.page.Fill("Newer than", "1h")
	v.press("Select", 50, "\n100000\t")
}

func (v *manyRows) records() {
	v.open("audit", 100, "user99", "import-accounts")
	v.press("Older events", 100)
	v.press("Older events", 100)
	v.press("Newest events", 100, "user99")
	v.page.Fill("Account or domain", rowsAddress(4711))
	v.press("Search", 1, "user04711@")
	v.last()
}

// all walks through all pages of the accounts and of the maildrop, without the browser.
func (v *manyRows) all(site *consoletest.Site) {
	b := site.Browser(v.t).SignIn(consoletest.Secret)
	v.walk(b, name("accounts?domain=", servertest.Domain), regexp.MustCompile(`maildrop<span class="hidden"> of user(\d+)@`), 0)
}

var nextPage = regexp.MustCompile(`<a href="([^"]*)" rel="next">`)

// walk follows a list from page to page to its end. Each page has up to 50 rows, and number finds the numbers of
// the rows, which are rows numbers in a row.
func (v *manyRows) walk(b *consoletest.Browser, path string, number *regexp.Regexp, n int) {
	end := n + rows
	for path != "" {
		a := b.Get(path)
		found := number.FindAllStringSubmatch(a.Body, -1)
		if a.Status != http.StatusOK || len(found) == 0 || len(found) > 50 {
			v.t.Fatalf("%s: status %d, %d rows", path, a.Status, len(found))
		}
		for _, m := range found {
			if got, err := strconv.Atoi(m[1]); got != n || err != nil {
				v.t.Fatalf("%s: row %s, want %d", path, m[1], n)
			}
			n++
		}
		path = ""
		if next := nextPage.FindStringSubmatch(a.Body); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	if n != end {
		v.t.Errorf("the pages end before row %d, want %d", n, end)
	}
}

func (v *manyRows) status(got int) {
	v.t.Helper()
	if got != http.StatusOK {
		v.t.Fatalf("status %d:\n%s", got, v.page.Text())
	}
}

// open opens a page, see see.
func (v *manyRows) open(path string, wantRows int, texts ...string) {
	v.t.Helper()
	v.status(v.page.Open(v.console + path))
	v.see(wantRows, texts...)
}

// press presses a link or a button, see see.
func (v *manyRows) press(name string, wantRows int, texts ...string) {
	v.t.Helper()
	v.status(v.page.Press(name))
	v.see(wantRows, texts...)
}

// see checks the number of rows of the page that is shown, and looks for defects.
func (v *manyRows) see(wantRows int, texts ...string) {
	v.t.Helper()
	v.page.Has(texts...)
	if got := v.page.Script("String(document.querySelectorAll('tbody tr').length)"); got != strconv.Itoa(wantRows) {
		v.t.Errorf("%s has %s rows, want %d", v.page.Script("location.href"), got, wantRows)
	}
	v.look(1280)
}

// look looks for defects of the page that is shown, in a window of some width. With -artifacts it keeps a picture.
func (v *manyRows) look(width int64) {
	v.t.Helper()
	v.page.Look(width, false)
	for _, defect := range v.page.Defects() {
		v.t.Errorf("%s, %d wide: %s", v.page.Script("location.href"), width, defect)
	}
	if v.seen++; flag.Lookup("test.artifacts").Value.String() == "true" {
		v.page.Picture(filepath.Join(v.t.ArtifactDir(), fmt.Sprintf("%02d-%d.png", v.seen, width)))
	}
	v.page.Look(1280, false)
}

// last expects that the page shown is the last.
func (v *manyRows) last() {
	v.t.Helper()
	if n := v.page.Script("String(document.querySelectorAll('a[rel=next]').length)"); n != "0" {
		v.t.Errorf("%s has a next page", v.page.Script("location.href"))
	}
}
