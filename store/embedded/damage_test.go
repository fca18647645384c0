package embedded_test

import (
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// files lists the files below a folder of a file system in memory.
func files(t *testing.T, fs vfs.FS, dir string) (names []string) {
	t.Helper()
	list, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		full := path.Join(dir, name)
		info, err := fs.Stat(full)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			names = append(names, files(t, fs, full)...)
		} else {
			names = append(names, full)
		}
	}
	return names
}

// messageFiles lists the files of large contents.
func messageFiles(t *testing.T, fs vfs.FS) []string {
	t.Helper()
	return slices.DeleteFunc(files(t, fs, "data/content"), func(name string) bool { return path.Ext(name) != ".msg" })
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFile: damage in a content file is found before the octets are returned.
func TestDamagedFile(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, small(fs))
	defer s.Close()
	id := mail.NewIDSource(nil).Next()
	data := octets(200_000)
	if err := deliver(t.Context(), s, id, benchMailbox(0), data); err != nil {
		t.Fatal(err)
	}
	var name string
	for _, n := range messageFiles(t, fs) {
		name = n
	}
	good := readFile(t, fs, name)
	try := func(what string, wantAtLeast int) {
		t.Helper()
		for _, whole := range []bool{false, true} {
			_, r, err := s.OpenContent(t.Context(), id, "")
			var got []byte
			if err == nil {
				if whole {
					var b bytes.Buffer
					_, err = r.(io.WriterTo).WriteTo(&b)
					got = b.Bytes()
				} else {
					got, err = io.ReadAll(r)
				}
				r.Close()
			}
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: %v, want %v", what, err, store.ErrCorrupt)
			}
			if len(got) < wantAtLeast || !bytes.HasPrefix(data, got) {
				t.Errorf("%s: %d octets given out, or damaged ones; want at least %d", what, len(got), wantAtLeast)
			}
		}
	}
	for _, at := range []int{0, 5, 10, 16, 20, 1000, 65_535, 65_552, 70_000, 131_088, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		writeFile(t, fs, name, bad)
		try("a flipped bit", max(0, (at-16)/(64<<10)*(64<<10-4)))
	}
	for _, n := range []int{0, 10, 16, 18, 20, 100, 65_552, 65_553, 100_000, len(good) - 1} {
		writeFile(t, fs, name, good[:n])
		try("a file cut short", 0)
	}
	swapped := bytes.Clone(good)
	copy(swapped[16:], good[16+64<<10:16+128<<10])
	writeFile(t, fs, name, swapped)
	try("a block in the wrong place", 0)
	if err := fs.Remove(name); err != nil {
		t.Fatal(err)
	}
	try("no file", 0)
	writeFile(t, fs, name, good)
	if _, got, err := storetest.Read(t.Context(), s, id); err != nil || !bytes.Equal(got, data) {
		t.Errorf("whole again: %d octets, %v", len(got), err)
	}
}

// noted returns the folder as it is after a crash, with the synced length of the newest log in its state.
func noted(s *embedded.Store, fs *vfs.MemFS) (image *vfs.MemFS) {
	s.Note()
	return copyOf(fs)
}

// TestDamagedDatabase flips one bit of a file of the database, once the state has the synced length of the log:
// reads afterwards are right or fail, and Open names the file.
func TestDamagedDatabase(t *testing.T) {
	base := vfs.NewCrashableMem()
	s := open(t, small(base))
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	image := noted(s, base)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f := l.snapshot()
	atOpen, atRead, harmless := 0, 0, 0
	names := files(t, image, "data/db")
	for _, name := range names {
		kind := path.Ext(name)
		if !strings.HasPrefix(path.Base(name), "MANIFEST") && kind != ".sst" && kind != ".log" {
			continue
		}
		size := len(readFile(t, image, name))
		step := max(size/12, 1)
		for at := step / 2; at < size; at += step {
			fs := image.CrashClone(vfs.CrashCloneCfg{})
			bad := readFile(t, fs, name)
			bad[at] ^= 0x04
			writeFile(t, fs, name, bad)
			s, err := embedded.Open(small(fs))
			if err != nil {
				if !errors.Is(err, store.ErrCorrupt) {
					t.Errorf("%s at %d of %d: Open: %v, want %v", name, at, size, err, store.ErrCorrupt)
				}
				atOpen++
				continue
			}
			err = verify(t.Context(), s, f, f)
			switch {
			case err == nil:
				harmless++
			case errors.Is(err, store.ErrCorrupt):
				atRead++
			default:
				t.Errorf("%s at %d of %d: %v", name, at, size, err)
			}
			s.Close()
		}
	}
	t.Logf("found by Open: %d, when read: %d, harmless: %d", atOpen, atRead, harmless)
}

// TestDamagedLog flips bits of a log not yet written to tables, once the state has the synced length of the log:
// Open reports the damage. Without this length Pebble takes damage near the end for a torn end, and how near
// depends on the speed of the disk.
func TestDamagedLog(t *testing.T) {
	base := vfs.NewCrashableMem()
	s := open(t, embedded.Config{Dir: "data", FS: base})
	ids := mail.NewIDSource(nil)
	const n = 20
	for range n {
		if err := deliver(t.Context(), s, ids.Next(), benchMailbox(0), octets(8<<10)); err != nil {
			t.Fatal(err)
		}
	}
	image := noted(s, base)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tried := false
	for _, name := range files(t, image, "data/db") {
		size := len(readFile(t, image, name))
		if path.Ext(name) != ".log" || size < n*(8<<10) {
			continue
		}
		tried = true
		for at := 3; at < size; at += 5003 {
			fs := image.CrashClone(vfs.CrashCloneCfg{})
			bad := readFile(t, fs, name)
			bad[at] ^= 0x04
			writeFile(t, fs, name, bad)
			s, err := embedded.Open(embedded.Config{Dir: "data", FS: fs})
			if err == nil {
				rows, err := storetest.List(t.Context(), s, benchMailbox(0), 100)
				t.Errorf("%s at %d: opened, with %d of %d messages, %v", name, at, len(rows), n, err)
				s.Close()
			} else if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s at %d: %v, want %v", name, at, err, store.ErrCorrupt)
			}
		}
	}
	if !tried {
		t.Error("no log found")
	}
}

// TestCheckSeesDamage: a check reports a missing file and a short file.
func TestCheckSeesDamage(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, small(fs))
	defer s.Close()
	source := mail.NewIDSource(nil)
	var large []mail.MessageID
	for range 3 {
		id := source.Next()
		if err := deliver(t.Context(), s, id, benchMailbox(0), octets(200_000)); err != nil {
			t.Fatal(err)
		}
		large = append(large, id)
	}
	for _, name := range messageFiles(t, fs) {
		switch {
		case strings.Contains(name, large[0].String()):
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(name, large[1].String()):
			b := readFile(t, fs, name)
			writeFile(t, fs, name, b[:len(b)-1])
		}
	}
	page, _, err := s.ListContents(t.Context(), "", 10)
	if err != nil || len(page) != 3 {
		t.Fatalf("ListContents: %v, %v", page, err)
	}
	rows, err := s.ContentRows(t.Context(), large)
	if err != nil || len(rows) != 3 {
		t.Fatalf("ContentRows: %v, %v", rows, err)
	}
	for i, c := range page {
		for _, c := range []store.ContentRow{c, rows[c.ID]} {
			if damaged := errors.Is(c.Damage, store.ErrCorrupt); c.ID != large[i] || damaged != (i < 2) || c.Info.Size != 200_000 {
				t.Errorf("content %d: %+v", i, c)
			}
		}
	}
}
