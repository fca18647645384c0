package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Files of users as spreadsheets and other programs write them.
func TestReadUsers(t *testing.T) {
	const plain = "address,password,reason\na@b.test,secret word,moved\nc@b.test,,\n"
	users := []string{"2 a@b.test secret word [reason=moved]", "3 c@b.test  []"}
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"plain", plain, users},
		{"a byte order mark", "\uFEFF" + plain, users},
		{"CRLF", strings.ReplaceAll(plain, "\n", "\r\n"), users},
		{"a byte order mark and CRLF", "\uFEFF" + strings.ReplaceAll(plain, "\n", "\r\n"), users},
		{"no last line end", strings.TrimSuffix(plain, "\n"), users},
		{"no last line end, after CR", strings.TrimSuffix(strings.ReplaceAll(plain, "\n", "\r\n"), "\n"), users},
		{"a quoted header behind a byte order mark", "\uFEFF\"address\",\"password\",\"reason\"\n" + plain[strings.Index(plain, "\n")+1:], users},
		{"semicolons and CRLF", "address;password;reason\r\na@b.test;secret word;moved\r\nc@b.test;;", users},
		{"empty lines", "\r\n" + strings.ReplaceAll(plain, "\n", "\r\n\r\n") + " \r\n", []string{"4 a@b.test secret word [reason=moved]", "6 c@b.test  []"}},
		{"a single line without line end", "address\na@b.test", []string{"2 a@b.test  []"}},
		{"a line end in a field", "address,reason\na@b.test,\"moved\nto b\"\nc@b.test,", []string{"2 a@b.test  [reason=moved\nto b]", "4 c@b.test  []"}},
		{"CRLF in a field", "address,reason\r\na@b.test,\"moved\r\n\r\nto b\"\r\nc@b.test,\r\n", []string{"2 a@b.test  [reason=moved\n\nto b]", "5 c@b.test  []"}},
		{
			"a user within a field", "address,reason,password\na@b.test,\"moved\nmallory@b.test,,secret word\nto \"\"b\"\"\",x\nc@b.test,,",
			[]string{"2 a@b.test x [reason=moved\nmallory@b.test,,secret word\nto \"b\"]", "5 c@b.test  []"},
		},
		{
			"two fields with line ends", "reason,address,password\n\"a\nb\",a@b.test,\"c\nd\"\nx,c@b.test,",
			[]string{"2 a@b.test c\nd [reason=a\nb]", "5 c@b.test  [reason=x]"},
		},
		{
			"a quotation without end", "address,password,reason\na@b.test,\"secret word,\nc@b.test,,\n",
			[]string{"2: refused: extraneous or missing \" in quoted-field", "3 c@b.test  []"},
		},
		{
			"two quotations without end", "address,password,reason\na@b.test,\"secret word,\nc@b.test,,\nd@b.test,\"x,\ne@b.test,,",
			[]string{"2: refused: extraneous or missing \" in quoted-field", "3 c@b.test  []", "4: refused: extraneous or missing \" in quoted-field", "5 e@b.test  []"},
		},
		{"a line end in the address", "address,reason\n\"a@b.test\n\",x", []string{"2 a@b.test  [reason=x]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			lines, err := readUsers([]byte(test.text), []string{"reason"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range lines {
				text := fmt.Sprintf("%d %s %s [", u.number, u.account.Address, u.account.Password)
				for _, name := range slices.Sorted(maps.Keys(u.account.Settings)) {
					text += name + "=" + u.account.Settings[name]
				}
				if text += "]"; u.refusal != "" {
					text = fmt.Sprintf("%d: refused: %s", u.number, u.refusal)
				}
				got = append(got, text)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q\ngot  %q\nwant %q", test.text, got, test.want)
			}
		})
	}
}

// Files that are no files of users name the line of the mistake, and never a field of it.
func TestReadNoUsers(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "no header line",
		"\uFEFF\r\n":                    "no header line",
		"\xFF\xFEa\x00d\x00d\x00r\x00":  "line 1, the header: ", // UTF-16
		"address,\"reason\nx\",state\n": "line 1, the header: ",
		"secret word,alice@a.test\n":    "line 1, the header: the column address is missing",
		"address,pasword\n":             `"pasword" is no column`,
	} {
		lines, err := readUsers([]byte(text), []string{"reason"})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, %v; want %q", text, lines, err, want)
		}
	}
}

// A file without end takes no more than a bounded part of the memory, and no part of it counts as the whole.
func TestReadAtMost(t *testing.T) {
	const limit = 1 << 20
	for size, ok := range map[int]bool{0: true, limit: true, limit + 1: false} {
		text, err := readAtMost(strings.NewReader(strings.Repeat("x", size)), "users.csv", limit)
		if (err == nil) != ok || ok && len(text) != size {
			t.Errorf("%d octets: %d, %v", size, len(text), err)
		}
	}
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Skip(err)
	}
	defer zero.Close()
	if _, err := readAtMost(zero, "users.csv", limit); err == nil || exitCode(err) != exitData {
		t.Errorf("an endless file: %v", err)
	}
}

// A password or a setting with a line end is refused by the server, and its line is named.
func TestImportOfFieldsWithLineEnds(t *testing.T) {
	s := newSite(t)
	s.must(s.admin.AddDomain(t.Context(), "a.test"))
	file := "\uFEFFaddress,password,reason\r\n" +
		"alice@a.test,secret word,\"moved\r\nto another server\"\r\n" +
		"bob@a.test,\"secret\r\nmallory@a.test,secret word,\r\nword\",\r\n" +
		"carol@a.test,secret word,x"
	out, errs, code := s.command(file, "import", "-")
	if code != exitProblems {
		t.Fatalf("exit code %d: %s\n%s", code, errs, out)
	}
	for _, want := range []string{"line 2: alice@a.test: refused: ", "line 4: bob@a.test: refused: ", "line 7: carol@a.test: made\n", "made: 1, changed: 0, unchanged: 0, refused: 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "secret") || strings.Contains(out, "mallory") {
		t.Errorf("the report has a field, or takes a field for a user:\n%s", out)
	}
	accounts, err := s.admin.Accounts(t.Context(), "a.test", "", 10)
	if err != nil || len(accounts.Accounts) != 1 || accounts.Accounts[0].Address != "carol@a.test" {
		t.Errorf("accounts: %+v, %v", accounts, err)
	}
}
