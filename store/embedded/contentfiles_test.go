package embedded_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store/storetest"
)

// TestCrashInNewFolder loses the power after the first message in a new folder with new parents.
func TestCrashInNewFolder(t *testing.T) {
	mem := vfs.NewCrashableMem()
	cfg := small(mem)
	cfg.Dir = "srv/mail/data"
	s := open(t, cfg)
	defer s.Close()
	l := newLedger(t.Context())
	id, err := l.deliver(s, 1000, 0)
	if err != nil {
		t.Fatal(err)
	}
	cfg.FS = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(1, 2))})
	again := open(t, cfg)
	defer again.Close()
	if _, data, err := storetest.Read(t.Context(), again, id); err != nil || len(data) != 1000 {
		t.Errorf("after the crash the message has %d octets: %v", len(data), err)
	}
}

// TestSweepWithStrayFile: Sweep leaves foreign files among the contents alone.
func TestSweepWithStrayFile(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, small(mem))
	defer s.Close()
	for _, name := range []string{"data/content/NOTES", "data/content/zz", "data/content/tmp/NOTES"} {
		f, err := mem.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Error(err)
	}
}
