package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// open opens a store, or fails the test.
func open(t *testing.T, cfg embedded.Config) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestConformance(t *testing.T) {
	cfgs := map[store.Engine]embedded.Config{}
	suite := func(config func(t *testing.T) embedded.Config) storetest.Suite {
		return storetest.Suite{
			Open: func(t *testing.T) store.Engine {
				cfg := config(t)
				s := open(t, cfg)
				cfgs[s] = cfg
				return s
			},
			Reopen: func(t *testing.T, s store.Engine) store.Engine {
				if err := s.Close(); err != nil {
					t.Fatalf("Close: %v", err)
				}
				again := open(t, cfgs[s])
				cfgs[again] = cfgs[s]
				return again
			},
		}
	}
	t.Run("memory", func(t *testing.T) {
		suite(func(*testing.T) embedded.Config {
			return embedded.Config{Dir: "data", FS: vfs.NewMem()}
		}).Run(t)
	})
	t.Run("disk", func(t *testing.T) {
		s := suite(func(t *testing.T) embedded.Config { return embedded.Config{Dir: t.TempDir()} })
		s.Quick = true
		s.Run(t)
	})
	t.Run("tiny", func(t *testing.T) {
		// Small limits make rare events frequent.
		s := suite(func(*testing.T) embedded.Config {
			return embedded.Config{Dir: "data", FS: vfs.NewMem(), MemTableSize: 256 << 10, CacheSize: 64 << 10, TidyAfter: 5}
		})
		s.Quick = true
		s.Run(t)
	})
}
