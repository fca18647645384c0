package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/bench"
	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// mails returns contents as in real mail.
func mails(n, size int) (all [][]byte) {
	m := bench.Messages{Seed: 1, Size: size, Realistic: true}
	for i := range int64(n) {
		all = append(all, m.Text(i))
	}
	return all
}

// space returns the octets of all files below a folder.
func space(t *testing.T, fs vfs.FS, dir string) (sum int64) {
	t.Helper()
	for _, name := range files(t, fs, dir) {
		info, err := fs.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	return sum
}

// TestCompressionSavesSpace: mail takes less of the disk, of any size, and what cannot be compressed takes no
// more.
func TestCompressionSavesSpace(t *testing.T) {
	noise := make([][]byte, 40)
	for i := range noise {
		noise[i] = octets(60_000 + i)
	}
	for _, x := range []struct {
		name string
		data [][]byte
		most float64 // share of the folder without compression
	}{
		{"small", mails(400, 4000), 0.8},
		{"rows", mails(200, 30_000), 0.8},
		{"rows in place of files", mails(100, 60_000), 0.7},
		{"files", mails(10, 400_000), 0.85},
		{"noise", noise, 1.01},
	} {
		t.Run(x.name, func(t *testing.T) {
			taken := map[string]int64{}
			for _, method := range []string{codec.MethodNone, codec.MethodZstd} {
				fs := vfs.NewMem()
				cfg := small(fs)
				cfg.Compression = method
				s := open(t, cfg)
				ids := mail.NewIDSource(nil)
				stored := map[mail.MessageID][]byte{}
				for _, data := range x.data {
					id := ids.Next()
					stored[id] = data
					if err := deliver(t.Context(), s, id, benchMailbox(0), data); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Close(); err != nil { // writes tables
					t.Fatal(err)
				}
				taken[method] = space(t, fs, "data/content")
				for _, name := range files(t, fs, "data/db") {
					if path.Ext(name) == ".sst" {
						info, err := fs.Stat(name)
						if err != nil {
							t.Fatal(err)
						}
						taken[method] += info.Size()
					}
				}
				// The other method reads what this method wrote.
				cfg.Compression = map[string]string{codec.MethodNone: codec.MethodZstd, codec.MethodZstd: codec.MethodNone}[method]
				s = open(t, cfg)
				for id, data := range stored {
					info, got, err := storetest.Read(t.Context(), s, id)
					if err != nil || info.Size != int64(len(data)) || !bytes.Equal(got, data) {
						t.Fatalf("%d octets, %v; want %d", len(got), err, len(data))
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d octets without compression, %d with", taken[codec.MethodNone], taken[codec.MethodZstd])
			if float64(taken[codec.MethodZstd]) > x.most*float64(taken[codec.MethodNone]) {
				t.Errorf("%d octets without compression, %d with: want at most %.2f of them", taken[codec.MethodNone], taken[codec.MethodZstd], x.most)
			}
		})
	}
}

// TestDamagedCompressedFile: damage in the file of a compressed content is found before the octets are
// returned.
func TestDamagedCompressedFile(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, small(fs))
	defer s.Close()
	id, data := mail.NewIDSource(nil).Next(), mails(1, 200_000)[0]
	if err := deliver(t.Context(), s, id, benchMailbox(0), data); err != nil {
		t.Fatal(err)
	}
	names := messageFiles(t, fs)
	if len(names) != 1 {
		t.Fatalf("files %q, want one", names)
	}
	good := readFile(t, fs, names[0])
	if len(good) >= len(data) || good[4] != 2 {
		t.Fatalf("a file of version %d with %d octets for %d", good[4], len(good), len(data))
	}
	for at := 0; at < len(good); at += 1 + at/7 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x10
		writeFile(t, fs, names[0], bad)
		_, got, err := storetest.Read(t.Context(), s, id)
		if !errors.Is(err, store.ErrCorrupt) || !bytes.HasPrefix(data, got) {
			t.Errorf("octet %d changed: %d octets, %v", at, len(got), err)
		}
	}
	for _, n := range []int{0, 16, 18, 24, 25, len(good) / 2, len(good) - 1} {
		writeFile(t, fs, names[0], good[:n])
		if _, got, err := storetest.Read(t.Context(), s, id); !errors.Is(err, store.ErrCorrupt) || !bytes.HasPrefix(data, got) {
			t.Errorf("cut to %d octets: %d octets, %v", n, len(got), err)
		}
		rows, err := s.ContentRows(t.Context(), []mail.MessageID{id})
		if err != nil || !errors.Is(rows[id].Damage, store.ErrCorrupt) {
			t.Errorf("cut to %d octets: a check sees %v, %v", n, rows[id].Damage, err)
		}
	}
	writeFile(t, fs, names[0], good)
	rows, err := s.ContentRows(t.Context(), []mail.MessageID{id})
	if err != nil || rows[id].Damage != nil {
		t.Errorf("whole again: a check sees %v, %v", rows[id].Damage, err)
	}
}

// TestRaisesFormat: a folder gets the format of compressed contents when compression is on, and a folder
// without compression stays readable for earlier versions.
func TestRaisesFormat(t *testing.T) {
	fs := vfs.NewMem()
	cfg := small(fs)
	want := func(format int) {
		t.Helper()
		if got := string(readFile(t, fs, "data/FORMAT")); got != fmt.Sprintf("popelago embedded store, format %d\n", format) {
			t.Errorf("FORMAT is %q, want %d", got, format)
		}
	}
	id, data := mail.NewIDSource(nil).Next(), mails(1, 8192)[0]
	for i, x := range []struct {
		method string
		format int
	}{{codec.MethodNone, 1}, {codec.MethodNone, 1}, {codec.MethodZstd, 2}, {codec.MethodNone, 2}, {codec.MethodZstd, 2}} {
		cfg.Compression = x.method
		s := open(t, cfg)
		want(x.format)
		if i == 0 {
			if err := deliver(t.Context(), s, id, benchMailbox(0), data); err != nil {
				t.Fatal(err)
			}
		}
		if _, got, err := storetest.Read(t.Context(), s, id); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d octets, %v", len(got), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Compression = "gzip"
	if _, err := embedded.Open(cfg); err == nil || !strings.Contains(err.Error(), "gzip") {
		t.Errorf("an unknown method: %v", err)
	}
}

// BenchmarkDeliverMail measures durable deliveries of realistic mail, with and without compression.
func BenchmarkDeliverMail(b *testing.B) {
	for _, size := range []int{8 << 10, 0} {
		all := mails(500, size)
		for _, method := range []string{codec.MethodNone, codec.MethodZstd} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, method), func(b *testing.B) {
				s, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Compression: method})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				ids := mail.NewIDSource(nil)
				var next, sum atomic.Int64
				b.ReportAllocs()
				b.ResetTimer()
				run(b, 16, func() error {
					n := next.Add(1)
					data := all[int(n)%len(all)]
					sum.Add(int64(len(data)))
					return deliver(b.Context(), s, ids.Next(), benchMailbox(int(n%80)), data)
				})
				b.SetBytes(sum.Load() / int64(b.N))
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	}
}

// BenchmarkReadMail reads realistic mail.
func BenchmarkReadMail(b *testing.B) {
	for _, size := range []int{8 << 10, 60_000, 400_000} {
		for _, method := range []string{codec.MethodNone, codec.MethodZstd} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, method), func(b *testing.B) {
				s, err := embedded.Open(embedded.Config{Dir: b.TempDir(), Compression: method})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				source := mail.NewIDSource(nil)
				var ids []mail.MessageID
				for _, data := range mails(50, size) {
					ids = append(ids, source.Next())
					if err := deliver(b.Context(), s, ids[len(ids)-1], benchMailbox(0), data); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					_, r, err := s.OpenContent(b.Context(), ids[i%len(ids)], "")
					if err != nil {
						b.Fatal(err)
					}
					if _, err := r.(io.WriterTo).WriteTo(io.Discard); err != nil {
						b.Fatal(err)
					}
					r.Close()
				}
			})
		}
	}
}
