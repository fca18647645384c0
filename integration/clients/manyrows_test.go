package clients

import (
	"errors"
	"flag"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/console"
	"popelago/console/consoletest"
	"popelago/event"
	"popelago/integration/browser"
	"popelago/integration/servertest"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// manyRows is a number of accounts of the domain, of messages in a maildrop, and of records.
const manyRows = 100_000

// rowsAddress is the n-th address of the domain.
func rowsAddress(n int) string { return local(n) + "@" + servertest.Domain }

// fill makes so many accounts, each with a record in the audit, and fills the maildrop of the first.
func fill(t *testing.T, site *consoletest.Site, st store.Store, rows int) {
	t.Helper()
	if _, err := site.API.AddDomain(t.Context(), servertest.Domain); err != nil {
		t.Fatal(err)
	}
	const some = 1000
	var writes errgroup.Group
	writes.SetLimit(64)
	for n := 0; n < rows; {
		for range some {
			address, err := mail.ParseAddress(rowsAddress(n))
			if err != nil {
				t.Fatal(err)
			}
			writes.Go(func() error {
				return st.Directory.Local.ChangeAddress(t.Context(), address, mail.MessageID{}, store.AddressChange{
					Kind: new(store.KindAccount), State: new(store.StateEnabled), Created: new(time.Now().Truncate(time.Microsecond)),
				})
			})
			site.Events.Happened(event.Event{Kind: event.Changed, Operation: "add-account", Address: address.String()})
			n++
		}
		site.Events.Flush(t.Context())
	}
	a, err := mail.ParseAddress(rowsAddress(0))
	if err != nil {
		t.Fatal(err)
	}
	mailbox := mail.DeriveMailboxID(a, mail.MessageID{})
	began := time.Now().Add(-time.Duration(rows) * time.Second).Truncate(time.Second)
	for n := 0; n < rows; {
		var entries []store.Entry
		for range some {
			m := mail.Message{ID: mail.MinMessageID(began.Add(time.Duration(n) * time.Second)), Size: int64(n + 1), Recipient: rowsAddress(0)}
			entries = append(entries, store.Entry{Mailbox: mailbox, Message: m})
			n++
		}
		writes.Go(func() error { return errors.Join(st.Mail.Local.AddMessages(t.Context(), entries)...) })
	}
	if err := writes.Wait(); err != nil {
		t.Fatal(err)
	}
}

// rowsVisit visits pages with many rows.
type rowsVisit struct {
	t       *testing.T
	rows    int
	page    *browser.Page
	console string
	seen    int
	// order holds the numbers of the accounts in the order of their list.
	order []int
}

// TestManyRows: with 100,000 accounts, messages and records, each page of the console has a bounded number of rows,
// and leads to the next page, up to the last. No row is missing, and none is shown twice. The node gets a tenth of the
// rows; with TEST_CHAOS=1 it gets all, which takes two minutes.
func TestManyRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
	b := browser.Start(t)
	t.Run("embedded", func(t *testing.T) { testManyRows(t, nil, b, manyRows) })
	t.Run("cassandra", func(t *testing.T) {
		rows := manyRows / 10
		if os.Getenv("TEST_CHAOS") != "" {
			rows = manyRows
		}
		testManyRows(t, nodeStore(t), b, rows)
	})
}

// nodeStore opens a store without rows on the node.
func nodeStore(t *testing.T) *cassandra.Store {
	t.Helper()
	node.Setup(t)
	engine, err := cassandra.Open(t.Context(), cassandra.Config{
		Hosts: node.Get(t).Addresses("dc1"), Datacenter: "dc1", Keyspace: node.Keyspace, Replication: map[string]int{"dc1": 1}, Server: "here",
		// A busy machine is no fault.
		Timeout: 2 * time.Minute, ConnectTimeout: time.Minute, QueueTime: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// testManyRows visits the console on an engine; nil: in memory.
func testManyRows(t *testing.T, engine *cassandra.Store, b *browser.Browser, rows int) {
	var st store.Store
	site := consoletest.Start(t, consoletest.Setup{
		Wrap: func(s store.Store) store.Store {
			if st = s; engine != nil {
				st = store.Single(engine)
			}
			return st
		},
	})
	fill(t, site, st, rows)
	v := &rowsVisit{t: t, rows: rows, page: b.Page(t), console: site.URL + console.Root}
	v.list(site)
	v.page.Open(v.console + "signin")
	v.page.Fill("Access token", consoletest.Secret)
	v.press("Sign in", 1)
	v.accounts()
	v.messages()
	v.records()
	v.open(name("quotas?domain=", servertest.Domain)+"&above=0", 500, v.user(0), v.user(499))
	v.press("Next page", 500, v.user(500), v.user(999))
	v.open(name("quotas?domain=", servertest.Domain), 0, "No account of the domain uses so much")
}

// user begins the n-th address of the list of accounts.
func (v *rowsVisit) user(n int) string { return local(v.order[n]) + "@" }

func local(n int) string { return fmt.Sprintf("user%05d", n) }

// containing counts the accounts whose name contains a text.
func (v *rowsVisit) containing(text string) (n int) {
	for _, number := range v.order {
		if strings.Contains(local(number), text) {
			n++
		}
	}
	return n
}

func (v *rowsVisit) accounts() {
	accounts := name("accounts?domain=", servertest.Domain)
	v.open(accounts, 50, v.user(0), v.user(49))
	v.press("Next page", 50, v.user(50), v.user(99))
	v.press("Next page", 50, v.user(100), v.user(149))
	v.page.Back()
	v.see(50, v.user(50))
	v.press("First page", 50, v.user(0))
	v.look(360)
	end := local(v.rows - 1)
	v.page.Fill("Begins with", end[:len(end)-1])
	v.press("Search", 10, end[:len(end)-1]+"0@", end+"@")
	v.last()
	v.page.Fill("Begins with", "")
	v.page.Fill("Contains", "9999")
	v.press("Search", v.containing("9999"), "user09999@")
	v.last()
	v.page.Fill("Contains", "nobody")
	v.press("Search", 0, "No account is selected")
	v.last()
	v.page.Fill("Contains", "")
	v.page.Tick("with their use")
	v.press("Search", 50, v.user(0), v.user(49))
	v.page.Fill("Begins with", local(0))
	v.press("Search", 1, local(0), strconv.Itoa(v.rows))
	v.open(accounts+"&after="+local(v.order[v.rows-101]), 50, v.user(v.rows-100))
	v.press("Next page", 50, v.user(v.rows-50), v.user(v.rows-1))
	v.last()
	v.open(name("account?address=", rowsAddress(v.rows-1)), 0, rowsAddress(v.rows-1))
}

func (v *rowsVisit) messages() {
	number := func(n int) string { return fmt.Sprintf("\n%d\t", n) }
	v.open(name("account?address=", rowsAddress(0)), 0, strconv.Itoa(v.rows)+", ")
	v.press("Maildrop", 50, number(1), number(50))
	v.press("Next page", 50, number(51), number(100))
	v.page.Back()
	v.see(50, number(1))
	v.page.Tick("newest first")
	v.press("Select", 50, number(v.rows), number(v.rows-49))
	v.press("Next page", 50, number(v.rows-50), number(v.rows-99))
	v.press("First page", 50, number(v.rows))
	v.look(360)
	v.page.Fill("Newer than", "1h")
	v.press("Select", 50, number(v.rows))
}

func (v *rowsVisit) records() {
	v.open("audit", 100, local(v.rows - 1)[:6], "add-account")
	v.press("Older events", 100)
	v.press("Older events", 100)
	v.press("Newest events", 100, local(v.rows - 1)[:6])
	v.page.Fill("Account or domain", rowsAddress(4711))
	v.press("Search", 1, "user04711@")
	v.last()
}

var (
	nextPage = regexp.MustCompile(`<a href="([^"]*)" rel="next">`)
	rowOf    = regexp.MustCompile(`maildrop<span class="hidden"> of user(\d+)@`)
)

// list reads the order of the accounts from all pages, without the browser. Each page has up to 50 rows.
func (v *rowsVisit) list(site *consoletest.Site) {
	b := site.Browser(v.t).SignIn(consoletest.Secret)
	shown := map[int]bool{}
	for path := name("accounts?domain=", servertest.Domain); path != ""; {
		a := b.Get(path)
		found := rowOf.FindAllStringSubmatch(a.Body, -1)
		if a.Status != http.StatusOK || len(found) == 0 || len(found) > 50 {
			v.t.Fatalf("%s: status %d, %d rows", path, a.Status, len(found))
		}
		for _, m := range found {
			n, err := strconv.Atoi(m[1])
			if err != nil || n >= v.rows || shown[n] {
				v.t.Fatalf("%s: row %q, shown before: %t", path, m[1], shown[n])
			}
			shown[n], v.order = true, append(v.order, n)
		}
		path = ""
		if next := nextPage.FindStringSubmatch(a.Body); next != nil {
			path = html.UnescapeString(next[1])
		}
	}
	if len(v.order) != v.rows {
		v.t.Fatalf("the pages have %d rows, want %d", len(v.order), v.rows)
	}
}

func (v *rowsVisit) status(got int) {
	v.t.Helper()
	if got != http.StatusOK {
		v.t.Fatalf("status %d:\n%s", got, v.page.Text())
	}
}

// open opens a page, see see.
func (v *rowsVisit) open(path string, wantRows int, texts ...string) {
	v.t.Helper()
	v.status(v.page.Open(v.console + path))
	v.see(wantRows, texts...)
}

// press presses a link or a button, see see.
func (v *rowsVisit) press(name string, wantRows int, texts ...string) {
	v.t.Helper()
	v.status(v.page.Press(name))
	v.see(wantRows, texts...)
}

// see checks the number of rows of the page that is shown, and looks for defects.
func (v *rowsVisit) see(wantRows int, texts ...string) {
	v.t.Helper()
	v.page.Has(texts...)
	if got := v.page.Script("String(document.querySelectorAll('tbody tr').length)"); got != strconv.Itoa(wantRows) {
		v.t.Errorf("%s has %s rows, want %d", v.page.Script("location.href"), got, wantRows)
	}
	v.look(1280)
}

// look looks for defects of the page that is shown, in a window of some width. With -artifacts it keeps a picture.
func (v *rowsVisit) look(width int64) {
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
func (v *rowsVisit) last() {
	v.t.Helper()
	if n := v.page.Script("String(document.querySelectorAll('a[rel=next]').length)"); n != "0" {
		v.t.Errorf("%s has a next page", v.page.Script("location.href"))
	}
}
