package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"popelago/account"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
)

// same compares two configurations by the values that settings can set.
func same() cmp.Option {
	return cmp.Options{cmpopts.IgnoreUnexported(Config{}, cassandra.Config{}), cmpopts.EquateComparable(netip.Prefix{})}
}

// Each file has a single mistake, or several of one kind; the text beside the file has the expected
// messages.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(filepath.ToSlash(file), nil)
			if err == nil {
				err = c.Validate()
			}
			if err == nil {
				t.Fatal("no error")
			}
			var list *Error
			if !errors.As(err, &list) {
				t.Errorf("%T is not *Error", err)
			}
			mailtest.Golden(t, strings.TrimSuffix(file, ".toml")+".txt", err.Error()+"\n")
		})
	}
}

func TestGood(t *testing.T) {
	got, err := Load("testdata/good/all-forms.toml", []string{"PATH=/bin", "POPELAGO_BENCH_PASSWORD=x"})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Hostname = "mail.example.org"
	want.DataDir = "testdata/good/data"
	want.POP3.Listen = []string{":1110"}
	want.POP3.IdleTimeout = 90 * time.Minute
	want.POP3.LoginDelay = 90 * time.Second
	want.POP3S.Listen = []string{"[::1]:1995"}
	want.SMTP.Listen = []string{"localhost:1025"}
	want.LMTP.Listen = []string{"unix:/run/popelago/lmtp.sock"}
	want.LMTP.MaxLine = 4096
	want.Delivery.MaxMessageSize = 50_000_000
	want.Delivery.Postmaster = mail.Address{Local: "admin", Domain: "example.org"}
	want.TLS.Certificate = "/etc/ssl/mail.pem"
	want.TLS.Key = "testdata/good/keys/mail.key"
	want.Auth.AllowInsecureAuth = true
	if diff := cmp.Diff(want, got, same()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, want := got.AdminSocket(), "testdata/good/data/admin.sock"; got != want {
		t.Errorf("admin socket %q, want %q", got, want)
	}
}

func TestNoFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"), nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want a missing file", err)
	}
}

func TestEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "popelago.toml")
	if err := os.WriteFile(file, []byte("data_dir = \"here\"\n[pop3]\nlisten = \":1110\"\n[tls]\nkey = \"k\"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, []string{
		"HOME=/root",
		"POPELAGO_HOSTNAME=mail.example.org",
		"POPELAGO_DATA_DIR=elsewhere",
		"POPELAGO_POP3_LISTEN=127.0.0.1:110",
		"POPELAGO_POP3_MAX_CONNECTIONS=7",
		"POPELAGO_SMTP_MAX_RECIPIENTS=200",
		"POPELAGO_DELIVERY_MAX_MESSAGE_SIZE=10MB",
		"POPELAGO_SHUTDOWN_TIMEOUT=5s",
		"POPELAGO_TLS_CERTIFICATE=c",
		"POPELAGO_AUTH_ALLOW_INSECURE_AUTH=true",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Hostname = "mail.example.org"
	want.DataDir = "elsewhere" // from the environment: relative to the working folder
	want.POP3.Listen = []string{"127.0.0.1:110"}
	want.POP3.MaxConns = 7
	want.SMTP.MaxRecipients = 200
	want.Delivery.MaxMessageSize = 10_000_000
	want.ShutdownTimeout = 5 * time.Second
	want.TLS.Certificate = "c"
	want.TLS.Key = filepath.Join(filepath.Dir(file), "k")
	want.Auth.AllowInsecureAuth = true
	if diff := cmp.Diff(want, c, same()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	_, err = Load("", []string{
		"POPELAGO_POP3_LISTN=:110",
		"POPELAGO_NONSENSE=1",
		"POPELAGO_POP3_MAX_CONNECTIONS=many",
		"POPELAGO_POP3_IDLE_TIMEOUT=1m",
		"POPELAGO_LMTP_LISTEN=:24",
		"POPELAGO_AUTH_ALLOW_INSECURE_AUTH=1",
		"POPELAGO_POP3S_LISTEN=:995",
	})
	if err == nil {
		t.Fatal("no error")
	}
	mailtest.Golden(t, "testdata/environment.txt", err.Error()+"\n")
}

// No two settings may share a variable.
func TestVariablesAreDistinct(t *testing.T) {
	c := Default()
	seen := map[string]string{}
	for _, s := range settings(&c) {
		name := envName(s.key)
		if other, ok := seen[name]; ok {
			t.Errorf("%s means %s and %s", name, other, s.key)
		}
		seen[name] = s.key
	}
	if _, ok := seen[envBenchPassword]; ok {
		t.Errorf("%s is a setting", envBenchPassword)
	}
}

// fieldOf returns the field of a Config that a setting sets.
func fieldOf(s setting) reflect.Value {
	v := reflect.ValueOf(s.value)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	p := v.FieldByName("p")
	return reflect.NewAt(p.Type().Elem(), p.UnsafePointer()).Elem()
}

// Every field of Config is a setting (the fields of an account.Policy are account.Settings), every setting
// has a text and a section, and defaults pass their own checks.
func TestTable(t *testing.T) {
	c := Default()
	known := map[string]bool{"": true}
	for _, s := range sections() {
		known[s.name] = true
	}
	kept := map[uintptr]string{}
	for _, s := range settings(&c) {
		in, _ := splitKey(s.key)
		if !known[in] {
			t.Errorf("%s is in no known section", s.key)
		}
		if !strings.HasSuffix(s.doc, ".") {
			t.Errorf("%s is not documented in full sentences: %q", s.key, s.doc)
		}
		kept[fieldOf(s).Addr().Pointer()] = s.key
		if err := recheck(s.value); err != nil {
			t.Errorf("default of %s: %v", s.key, err)
		}
	}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := name + "." + f.Name
			if _, ok := kept[v.Field(i).Addr().Pointer()]; ok && (f.Type == reflect.TypeFor[mail.Address]() || f.Type == reflect.TypeFor[account.Policy]()) {
				continue
			}
			switch f.Type.Kind() {
			case reflect.Struct:
				if f.IsExported() {
					walk(name, v.Field(i))
				}
			case reflect.Func, reflect.Interface, reflect.Pointer: // collaborators of a package, not values
			default:
				_, ok := kept[v.Field(i).Addr().Pointer()]
				if exempt := slices.Contains(notSet, strings.TrimPrefix(name, "Config.")); f.IsExported() && ok == exempt {
					t.Errorf("%s: a setting %t, listed as none %t", name, ok, exempt)
				}
			}
		}
	}
	walk("Config", reflect.ValueOf(&c).Elem())
}

// notSet lists the fields of packages' Configs without a setting: app sets them, or only tests do.
var notSet = []string{
	"Events.Config.Alone", "Events.Config.Targets", "Events.Config.Version", "Events.Config.Place.Server", "Events.Config.Place.Datacenter",
	"Store.Config.Dir", "Store.Config.MemTableSize", "Store.Config.TidyAfter", "Store.Config.StateEvery", "Store.Config.SpaceEvery",
	"Store.Config.Undelete",
	"Cassandra.Config.Password", "Cassandra.Config.Compression", "Cassandra.Config.ProtocolVersion", "Cassandra.Config.Reconnect", "Cassandra.Config.Server",
	"Cassandra.Config.Admin", "Cassandra.Config.Address", "Cassandra.Config.Version", "Cassandra.Config.MissedBeats", "Cassandra.Config.DefaultDurability",
	"POP3.Config.Banner", "POP3.Config.Implementation", "POP3.Config.AllowInsecureAuth", "POP3.Config.CountLocal",
	"POP3.Config.HandshakeTimeout", "POP3.Config.CommitTimeout", "POP3.Config.SummaryEvery",
	"SMTP.Config.Protocol", "SMTP.Config.Hostname", "SMTP.Config.NormalizeLF", "SMTP.Config.CountLocal", "SMTP.Config.SummaryEvery",
	"SMTP.Config.HandshakeTimeout", "SMTP.Config.AcknowledgementTimeout",
	"LMTP.Config.Protocol", "LMTP.Config.Hostname", "LMTP.Config.NormalizeLF", "LMTP.Config.CountLocal", "LMTP.Config.SummaryEvery",
	"LMTP.Config.HandshakeTimeout", "LMTP.Config.AcknowledgementTimeout",
	"Delivery.StoreTimeout", "Delivery.Window", "Ledger.Window",
	"Admin.Tokens.CountLocal", "Admin.ConsoleConfig.Secret", "Auth.Config.CacheSize", "Auth.Config.CountLocal", "Auth.Config.Durability",
	"Tasks.Sweep.Grace", "Tasks.Purge.Window", "Tasks.Purge.Settle", "Tasks.Expire.After", "Tasks.Expire.Window",
	"Tasks.Check.Window", "Tasks.Check.Retries", "Tasks.Check.RetryPause", "Tasks.Check.BusyTime", "Tasks.Check.BrakeCount", "Tasks.Check.BrakeShare",
	"Trace.FlushEvents", "Trace.Timeout", "Trace.Tries", "Trace.FlushPatience", "Trace.Place.Server", "Trace.Place.Datacenter",
	"Visits.Accounts", "Visits.Writers", "Visits.Timeout",
	"Tasks.Check.Findings", "Tasks.Check.Batch", "Tasks.Alarm.NotesLogins",
}

// Packages treat zero as the default: a setting whose 0 has a meaning is stored as another value.
func TestZeroIsNotTheDefault(t *testing.T) {
	for _, s := range settings(new(Default())) {
		p := fieldOf(s)
		if !p.CanInt() {
			continue
		}
		zero := "0"
		if d, ok := s.value.(*number[time.Duration]); ok {
			zero = d.show(0)
		}
		before := p.Int()
		if err := s.value.parse(zero); err == nil && p.Int() == 0 && before != 0 && !strings.HasPrefix(s.key, "tasks.") &&
			!slices.Contains([]string{"shutdown_timeout", "drain_delay", "drain_timeout", "smtp.min_body_rate", "lmtp.min_body_rate"}, s.key) {
			t.Errorf("%s = %s is stored as zero, although the default is %d", s.key, zero, before)
		}
	}
}

// The reference is a file with all defaults.
func TestDescribe(t *testing.T) {
	var b bytes.Buffer
	if err := Describe(&b); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(b.String(), "\n") {
		if strings.HasPrefix(line, "#") && len(line) > 98 {
			t.Errorf("line %d is long: %s", i+1, line)
		}
	}
	c := Default()
	for _, s := range settings(&c) {
		fieldOf(s).SetZero()
	}
	problems, err := c.readTOML("reference", b.Bytes())
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if diff := cmp.Diff(Default(), c, same()); diff != "" {
		t.Errorf("the reference is not the defaults (-default +reference)\n%s", diff)
	}
	if len(c.origins) != len(settings(&c)) {
		t.Errorf("%d settings in the reference, %d in the table", len(c.origins), len(settings(&c)))
	}
}

func TestDocumentation(t *testing.T) {
	var b bytes.Buffer
	if err := DescribeMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	mailtest.Golden(t, "../docs/configuration.md", b.String())
}

func TestDev(t *testing.T) {
	c := Dev("folder")
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if n := 2*c.POP3.MaxConns + 2*c.SMTP.MaxConns + 2*c.LMTP.MaxConns; n > 2000 {
		t.Errorf("their connections may take %d open files, more than some machines allow", n)
	}
}

// Validate finds mistakes in flags.
func TestValidate(t *testing.T) {
	c := Dev("folder")
	c.POP3.Listen = []string{"nowhere"}
	c.POP3.IdleTimeout = time.Minute
	c.POP3.MaxConns = 0
	c.Delivery.MaxMessageSize = 1
	c.Log.Level = "loud"
	c.DataDir = ""
	c.TLS.SelfSigned = false
	want := c
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	mailtest.Golden(t, "testdata/validate.txt", err.Error()+"\n")
	if diff := cmp.Diff(want, c, same()); diff != "" {
		t.Errorf("Validate changed the configuration (-before +after)\n%s", diff)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	for i, test := range []struct{ in, want string }{
		{"secret\n", "secret"}, {"secret", "secret"}, {"secret\r\n", "secret"}, {" s p ", " s p "},
		{"\uFEFFsecret\r\n", "secret"},
		{"", ""}, {"\n", ""}, {"two\nlines\n", ""}, {"\uFEFF", ""}, {"t\x00w\x00o\x00", ""}, {"two\u0085", ""},
	} {
		file := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(test.in), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSecret(file)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: %q, %v; want %q", test.in, got, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "two") || !strings.Contains(err.Error(), file)) {
			t.Errorf("%q: the error should name the file and not the secret: %v", test.in, err)
		}
	}
	if _, err := ReadSecret(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// FuzzLoad feeds texts to the reader. The reader refuses or accepts a text, and accepts its own
// description of the accepted values.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		problems, err := c.readTOML("fuzz.toml", data)
		if err != nil || len(problems) > 0 {
			for _, p := range problems {
				if p.line < 1 || strings.ContainsAny(p.String(), "\n\r") {
					t.Errorf("problem %q at line %d", p, p.line)
				}
			}
			return
		}
		for _, s := range settings(&c) {
			if err := recheck(s.value); err != nil {
				t.Errorf("%s was accepted and then refused: %v", s.key, err)
			}
			section, name := splitKey(s.key)
			text := fmt.Sprintf("%s = %s\n", name, s.value.literal())
			if section != "" {
				text = "[" + section + "]\n" + text
			}
			again := Default()
			if problems, err := again.readTOML("again.toml", []byte(text)); err != nil || len(problems) > 0 {
				t.Errorf("%s does not read back: %v %v", text, err, problems)
			}
		}
	})
}
