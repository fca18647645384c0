package pop3server

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"popelago/wire"
)

func FuzzArguments(f *testing.F) {
	for _, s := range []string{"RETR 1", "TOP 1 0", "TOP  2   3 ", "list +1", "x 99999999999999999999", "TOP 1 -1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		_, rest := wire.SplitVerb(line)
		one, ok1 := oneNumber(rest)
		a, b, ok2 := twoNumbers(rest)
		if !bytes.Equal(line, before) {
			t.Fatalf("%q was changed", before)
		}
		fields := strings.Split(strings.Trim(string(rest), " "), " ")
		fields = deleteEmpty(fields)
		if ok1 != (len(fields) == 1 && digits(fields[0])) {
			t.Errorf("%q: a single number: %v", rest, ok1)
		}
		if ok2 != (len(fields) == 2 && digits(fields[0]) && digits(fields[1])) {
			t.Errorf("%q: two numbers: %v", rest, ok2)
		}
		if ok1 {
			checkNumber(t, fields[0], one)
		}
		if ok2 {
			checkNumber(t, fields[0], a)
			checkNumber(t, fields[1], b)
		}
	})
}

func deleteEmpty(fields []string) (kept []string) {
	for _, s := range fields {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func checkNumber(t *testing.T, text string, got int) {
	t.Helper()
	want := maxNumber
	if n, err := strconv.Atoi(text); err == nil {
		want = min(n, maxNumber)
	}
	if got != want {
		t.Errorf("%q is read as %d", text, got)
	}
}

func FuzzPLAIN(f *testing.F) {
	f.Add([]byte("\x00alice\x00secret"))
	f.Add([]byte("alice\x00alice\x00secret"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		authzid, authcid, password, ok := parsePLAIN(message)
		if !ok {
			if bytes.Count(message, []byte{0}) == 2 && !bytes.Contains(message, []byte{0, 0}) && message[len(message)-1] != 0 {
				t.Errorf("%q is refused", message)
			}
			return
		}
		if got := authzid + "\x00" + authcid + "\x00" + password; got != string(message) || authcid == "" || password == "" {
			t.Errorf("%q is read as %q, %q, %q", message, authzid, authcid, password)
		}
	})
}

func FuzzSASLResponse(f *testing.F) {
	f.Add([]byte("="))
	f.Add([]byte("AGFsaWNlAHg="))
	f.Add([]byte("AGFsa\rWNlAHg="))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := decodeBase64(text)
		if !ok {
			return
		}
		if got == nil {
			t.Error("the response is nil")
		}
		if again := base64.StdEncoding.EncodeToString(got); again != string(text) && string(text) != "=" {
			t.Errorf("%q is read as %q, which is %q", text, got, again)
		}
	})
}

func TestLanguageTag(t *testing.T) {
	for tag, want := range map[string]bool{
		"en": true, "en-us": true, "i-default": true, "x-123": true, "": false, "-": false, "en-": false,
		"-en": false, "ninechars": false, "en us": false, "e*": false, "ü": false,
	} {
		if got := languageTag(tag); got != want {
			t.Errorf("languageTag(%q) = %v, want %v", tag, got, want)
		}
	}
}
