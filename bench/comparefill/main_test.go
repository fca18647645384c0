package main

import (
	"io"
	"strings"
	"testing"

	"popelago/bench/process"
	"popelago/mail"
	"popelago/store/embedded"
)

// The messages of two calls stand in the maildrops of the accounts, and can be read.
func TestFill(t *testing.T) {
	f := &filling{dir: t.TempDir(), accounts: 10, ids: mail.NewIDSource(nil)}
	for _, part := range [][2]int{{0, 0}, {0, 450}, {450, 1000}} {
		if err := f.add(t.Context(), part[0], part[1]); err != nil {
			t.Fatal(err)
		}
	}
	st, err := embedded.Open(embedded.Config{Dir: f.dir})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	contents := map[string]bool{}
	for n := range f.accounts {
		a := f.addressOf(n)
		if rows, err := st.AddressRows(t.Context(), a); err != nil || len(rows) != 1 {
			t.Errorf("%s: %v, %v", a, rows, err)
		}
		list, _, err := st.ListMessages(t.Context(), mail.DeriveMailboxID(a, mail.MessageID{}), mail.MessageID{}, 1000)
		if err != nil || len(list) != 100 {
			t.Fatalf("%s: %d messages, %v", a, len(list), err)
		}
		for _, m := range list {
			info, r, err := st.OpenContent(t.Context(), m.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			r.Close()
			if err != nil || int64(len(text)) != m.Size || info.Size != m.Size || contents[string(text)] {
				t.Fatalf("%d octets of %d, %v, known: %t", len(text), m.Size, err, contents[string(text)])
			}
			contents[string(text)] = true
		}
	}
}

// Every poller can poll, and the cost of each poll is measured.
func TestPollers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir("../..") // where the program is built
	binary, err := process.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	server, err := process.NewPopelago(t.Context(), dir+"/store", binary, 1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 60
	passwords := dir + "/pollers"
	if err := addPollers(t.Context(), server.Data, n); err != nil {
		t.Fatal(err)
	}
	if err := writePollers(passwords, n); err != nil {
		t.Fatal(err)
	}
	p := polled{accounts: n}
	if err := pollTwice(t.Context(), server, binary, passwords, &p); err != nil {
		t.Fatal(err)
	}
	if p.first.perSecond <= 0 || p.next.perSecond <= 0 || p.first.cost <= 0 || p.memory <= 0 {
		t.Errorf("%+v", p)
	}
	var out strings.Builder
	if err := writePolled(&out, []polled{p}); err != nil || !strings.Contains(out.String(), "\n| 60 | ") {
		t.Errorf("%v, %s", err, out.String())
	}
}
