package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// stopped returns a folder in memory that was filled and closed, and the messages that must be in the folder.
func stopped(t *testing.T, config func(fs vfs.FS) embedded.Config) (*vfs.MemFS, facts) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s := open(t, config(fs))
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, l.snapshot()
}

// ordinary leaves all writes in one log, as a small store does.
func ordinary(fs vfs.FS) embedded.Config { return embedded.Config{Dir: "data", FS: fs} }

// copyOf returns a second file system with equal files.
func copyOf(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{}) // all data was synced
}

// audit reads all messages of a store that may be damaged. Each message must be right, or its reading must
// report damage: then reported is true.
func audit(ctx context.Context, s store.Engine, f facts) (reported bool, err error) {
	damaged := func(err error) bool {
		reported = reported || errors.Is(err, store.ErrCorrupt)
		return errors.Is(err, store.ErrCorrupt)
	}
	for mb := range ledgerMailboxes {
		rows, err := storetest.List(ctx, s, benchMailbox(mb), 100)
		if damaged(err) {
			continue
		}
		if err != nil {
			return reported, err
		}
		present := map[ledgerKey]bool{}
		for _, m := range rows {
			present[ledgerKey{mb, m.ID}] = true
		}
		for k := range f.addAcked {
			if k.mailbox == mb && present[k] == f.removeAcked[k] {
				return reported, fmt.Errorf("mailbox %d: message %s is lost or back", mb, k.id)
			}
		}
		for k := range present {
			_, data, err := storetest.Read(ctx, s, k.id)
			if damaged(err) {
				continue
			}
			if err != nil || !bytes.Equal(data, ledgerData(k.id, f.size[k.id])) {
				return reported, fmt.Errorf("mailbox %d: %d octets of message %s, want %d, %v", mb, len(data), k.id, f.size[k.id], err)
			}
		}
	}
	addresses, err := s.AddressRows(ctx, ledgerAddress)
	if !damaged(err) && (err != nil || len(addresses) != 1 || addresses[0].Password != fmt.Sprint(f.passwordAcked)) {
		return reported, fmt.Errorf("the account is %+v, %v", addresses, err)
	}
	domains, err := s.ListDomains(ctx)
	if !damaged(err) && (err != nil || len(domains) != 1) {
		return reported, fmt.Errorf("the domains are %v, %v", domains, err)
	}
	return reported, nil
}

// damages are the ways in which a file of some size rots.
func damages(size int) map[string]func(t *testing.T, fs vfs.FS, name string) {
	change := func(f func(b []byte) []byte) func(*testing.T, vfs.FS, string) {
		return func(t *testing.T, fs vfs.FS, name string) { writeFile(t, fs, name, f(readFile(t, fs, name))) }
	}
	all := map[string]func(*testing.T, vfs.FS, string){
		"removed": func(t *testing.T, fs vfs.FS, name string) {
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
		},
		"longer": change(func(b []byte) []byte { return append(b, 'x') }),
	}
	if size == 0 {
		return all
	}
	for _, n := range []int{0, 1, size / 2, size - 1} {
		all[fmt.Sprintf("cut to %d of %d octets", n, size)] = change(func(b []byte) []byte { return b[:n] })
	}
	for i := range 8 {
		at := i * (size - 1) / 7
		all[fmt.Sprintf("bit flipped at %d of %d", at, size)] = change(func(b []byte) []byte { b[at] ^= 0x04; return b })
	}
	return all
}

// TestDamageWhileStopped damages every file of a closed folder in every way: no message may be lost or come
// back without a report, and Open names the files that make Open fail.
func TestDamageWhileStopped(t *testing.T) {
	for name, config := range map[string]func(vfs.FS) embedded.Config{"tables": small, "one log": ordinary} {
		t.Run(name, func(t *testing.T) {
			image, f := stopped(t, config)
			damageEach(t, image, config, f)
		})
	}
}

// damageEach damages every file of a folder in every way.
func damageEach(t *testing.T, image *vfs.MemFS, config func(vfs.FS) embedded.Config, f facts) {
	t.Helper()
	refused, reported, harmless := 0, 0, 0
	for _, file := range files(t, image, "data") {
		for how, damage := range damages(len(readFile(t, image, file))) {
			fs := copyOf(image)
			damage(t, fs, file)
			s, err := embedded.Open(config(fs))
			if err != nil {
				name := strings.TrimSuffix(path.Base(file), ".sst")
				if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), name) && !strings.Contains(name, "marker.manifest") {
					t.Errorf("%s %s: Open: %v, want %v naming the file", file, how, err, store.ErrCorrupt)
				}
				refused++
				continue
			}
			seen, err := audit(t.Context(), s, f)
			switch {
			case err != nil:
				t.Errorf("%s %s: %v", file, how, err)
			case seen:
				reported++
			default:
				harmless++
			}
			s.Close()
		}
	}
	t.Logf("refused by Open: %d, reported when read: %d, harmless: %d", refused, reported, harmless)
}

// TestDamageAfterCrash damages every file of a folder that was not closed, once the state has the synced
// length of the log.
func TestDamageAfterCrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := ordinary(fs)
	cfg.StateEvery = time.Millisecond
	s := open(t, cfg)
	defer s.Close()
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
		t.Fatal(err)
	}
	var image *vfs.MemFS
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		image = copyOf(fs)
		state := string(readFile(t, image, "data/STATE"))
		log := newestLog(t, image)
		if line := fmt.Sprintf("start %d ", len(readFile(t, image, log))); !strings.Contains(state, line) {
			return fmt.Errorf("the state says nothing of %s with %q:\n%s", log, line, state)
		}
		return nil
	})
	damageEach(t, image, ordinary, l.snapshot())
}

func newestLog(t *testing.T, fs vfs.FS) (newest string) {
	t.Helper()
	for _, file := range files(t, fs, "data/db") {
		if path.Ext(file) == ".log" {
			newest = max(newest, file)
		}
	}
	return newest
}

// TestLogOfAnotherCopy: Open refuses a closed folder with a foreign log or marker.
func TestLogOfAnotherCopy(t *testing.T) {
	image, _ := stopped(t, small)
	other, _ := stopped(t, ordinary)
	for _, file := range files(t, other, "data/db") {
		if path.Ext(file) == ".log" {
			writeFile(t, image, "data/db/009999.log", readFile(t, other, file))
		}
	}
	if _, err := embedded.Open(small(image)); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "009999.log") {
		t.Errorf("Open: %v, want %v naming the log", err, store.ErrCorrupt)
	}
}

// TestDatabaseGone: Open refuses a folder that lost its database, or its format, and makes no new database.
func TestDatabaseGone(t *testing.T) {
	for name, lost := range map[string]func(file string) bool{
		"database":            func(file string) bool { return strings.HasPrefix(file, "data/db/") },
		"database and state":  func(file string) bool { return strings.HasPrefix(file, "data/db/") || file == "data/STATE" },
		"format":              func(file string) bool { return file == "data/FORMAT" },
		"format and state":    func(file string) bool { return file == "data/FORMAT" || file == "data/STATE" },
		"format and database": func(file string) bool { return file == "data/FORMAT" || strings.HasPrefix(file, "data/db/") },
		"manifest, no state":  func(file string) bool { return strings.Contains(file, "MANIFEST") || file == "data/STATE" },
		"markers, no state":   func(file string) bool { return strings.Contains(file, "marker.") || file == "data/STATE" },
		"marker, no state": func(file string) bool {
			return strings.Contains(file, "marker.format") || file == "data/STATE"
		},
	} {
		image, _ := stopped(t, small)
		for _, file := range files(t, image, "data") {
			if lost(file) {
				if err := image.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
		before := files(t, image, "data/content")
		s, err := embedded.Open(small(image))
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s lost: Open: %v, want %v", name, err, store.ErrCorrupt)
		}
		if after := files(t, image, "data/content"); len(after) != len(before) {
			t.Errorf("%s lost: %d content files of %d are left", name, len(after), len(before))
		}
	}
}
