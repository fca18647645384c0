package account

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// countedDirectory counts the calls of a store, by name, and the rows that the calls return.
type countedDirectory struct {
	store.Directory
	mu    sync.Mutex
	calls map[string]int
}

func (c *countedDirectory) count(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[name] += n
}

// reset returns the counts since the last reset.
func (c *countedDirectory) reset() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = map[string]int{}
	return calls
}

func (c *countedDirectory) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	c.count("AddressRows", 1)
	return c.Directory.AddressRows(ctx, a)
}

func (c *countedDirectory) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, change store.AddressChange) error {
	c.count("ChangeAddress", 1)
	return c.Directory.ChangeAddress(ctx, a, generation, change)
}

func (c *countedDirectory) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	c.count("ListAddresses", 1)
	rows, more, err := c.Directory.ListAddresses(ctx, domain, after, limit)
	c.count("rows", len(rows))
	return rows, more, err
}

func (c *countedDirectory) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) ([]store.Address, bool, error) {
	c.count("SearchAddresses", 1)
	rows, more, err := c.Directory.SearchAddresses(ctx, domain, prefix, after, limit)
	c.count("rows", len(rows))
	return rows, more, err
}

func (c *countedDirectory) Domain(ctx context.Context, name string) (store.Domain, error) {
	c.count("Domain", 1)
	return c.Directory.Domain(ctx, name)
}

// cheapHash is a hash of the password "secret" that costs nothing to compare.
func cheapHash(t testing.TB, d *Directory) string {
	t.Helper()
	hash, err := d.passwords.hash(context.Background(), "secret", seat{class: classKnown})
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func manyLocal(i int) string { return fmt.Sprintf("user%07d", i) }

// importMany imports accounts first to n, without n, in full batches.
func importMany(t testing.TB, d *Directory, hash string, first, n int) {
	t.Helper()
	for first < n {
		batch := make([]Wanted, 0, ImportLimit)
		for ; first < n && len(batch) < ImportLimit; first++ {
			batch = append(batch, Wanted{Address: mail.Address{Local: manyLocal(first), Domain: "example.test"}, Hash: hash})
		}
		for _, r := range d.Import(context.Background(), batch, false) {
			if r.Outcome != OutcomeMade {
				t.Fatalf("%+v", r)
			}
		}
	}
}

// operations are the operations whose cost must not grow with the accounts of a domain. Each works on
// accounts in the middle of the domain.
func operations(d *Directory, n int) map[string]func(context.Context) error {
	middle := manyLocal(n / 2)
	a := mail.Address{Local: middle, Domain: "example.test"}
	return map[string]func(context.Context) error{
		"page": func(ctx context.Context) error {
			found, _, err := d.SearchAccounts(ctx, "example.test", Search{}, middle, 20)
			return expect(err, len(found), 20)
		},
		"search": func(ctx context.Context) error {
			found, _, err := d.SearchAccounts(ctx, "example.test", Search{Prefix: middle}, "", 20)
			return expect(err, len(found), 1)
		},
		"show": func(ctx context.Context) error { _, err := d.Account(ctx, a); return err },
		"RCPT": func(ctx context.Context) error {
			found, err := d.Expand(ctx, a)
			return expect(err, len(found), 1)
		},
		"RCPT again": func(ctx context.Context) error {
			found, err := d.Expand(ctx, a)
			return expect(err, len(found), 1)
		},
		"login": func(ctx context.Context) error {
			_, err := d.SignIn(ctx, LoginRequest{Name: manyLocal(n/2+1) + "@example.test", Password: "secret"})
			return err
		},
	}
}

func expect(err error, got, want int) error {
	if err == nil && got != want {
		err = fmt.Errorf("%d accounts, want %d", got, want)
	}
	return err
}

// A page of the list, a search, a login and RCPT make the same calls of the store, and read the same rows, with
// 100 accounts in a domain and with 3,000, and with TEST_CHAOS=1 with a million. An import makes the same calls for
// each account.
func TestCallsDoNotGrowWithTheDomain(t *testing.T) {
	var before map[string]map[string]int
	sizes := []int{100, 3000}
	if os.Getenv("TEST_CHAOS") == "1" {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		st := &countedDirectory{Directory: openStore(t), calls: map[string]int{}}
		cfg := cheap(newClock())
		cfg.PenaltyAfter = -1
		d := newDirectory(t, cfg, st)
		if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
			t.Fatal(err)
		}
		hash := cheapHash(t, d)
		importMany(t, d, hash, 0, 100)
		if n > 100 {
			st.reset()
			began := time.Now()
			importMany(t, d, hash, 100, n)
			t.Logf("import of %d accounts: %.0f accounts/s", n-100, float64(n-100)/time.Since(began).Seconds())
			calls := st.reset()
			if calls["AddressRows"] != n-100 || calls["ChangeAddress"] != n-100 || calls["rows"] != 0 {
				t.Errorf("the import of %d accounts makes the calls %v", n-100, calls)
			}
		}
		counts := map[string]map[string]int{}
		for _, name := range []string{"page", "search", "show", "RCPT", "RCPT again", "login"} {
			d = newDirectory(t, cfg, st) // without caches
			if name == "RCPT again" {
				if err := operations(d, n)["RCPT"](t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			todo := operations(d, n)
			st.reset()
			began := time.Now()
			if err := todo[name](t.Context()); err != nil {
				t.Errorf("%s with %d accounts: %v", name, n, err)
			}
			counts[name] = st.reset()
			t.Logf("%d accounts: %s %v, %v", n, name, counts[name], time.Since(began))
		}
		for name, got := range counts {
			if before != nil && !maps.Equal(got, before[name]) {
				t.Errorf("%s: %v with 100 accounts, %v with %d", name, before[name], got, n)
			}
		}
		if len(counts["RCPT again"]) > 0 || counts["RCPT"]["AddressRows"] != 1 || counts["search"]["rows"] != 1 || counts["page"]["rows"] != 21 {
			t.Errorf("with %d accounts: %v", n, counts)
		}
		before = counts
	}
}

// BenchmarkMillion imports a million accounts of one domain into the embedded store in memory, and measures the
// operations of operations with 100 accounts and with all. Run it with -benchtime 1x.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
		if err != nil {
			b.Fatal(err)
		}
		cfg := Config{Argon2Memory: 64, Argon2Time: 1, DefaultDomain: "example.test", PenaltyAfter: -1, CacheTTL: -1, CredentialTTL: -1}
		d, err := New(cfg, store.OneLevel(store.Directory(st)), nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.AddDomain(b.Context(), "example.test"); err != nil {
			b.Fatal(err)
		}
		hash := cheapHash(b, d)
		importMany(b, d, hash, 0, 100)
		measureOperations(b, d, 100)
		last := 100
		for _, n := range []int{250_000, 500_000, 750_000, 1_000_000} {
			began := time.Now()
			importMany(b, d, hash, last, n)
			b.Logf("import up to %d: %.0f accounts/s", n, float64(n-last)/time.Since(began).Seconds())
			last = n
		}
		measureOperations(b, d, last)
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func measureOperations(b *testing.B, d *Directory, n int) {
	b.Helper()
	for name, do := range operations(d, n) {
		began := time.Now()
		const times = 1000
		for range times {
			if err := do(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.Logf("%d accounts: %s %v", n, name, time.Since(began)/times)
	}
}
