package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"popelago/bench"
	"popelago/store"
	"popelago/store/codec"
)

func newCoder(t testing.TB, method string) *codec.Coder {
	t.Helper()
	c, err := codec.New(method)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noise returns octets that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func mailOf(size int) []byte {
	return bench.Messages{Seed: 1, Size: max(size, 3000), Realistic: true}.Text(1)[:size]
}

// stored returns the stored form of a chunk that begins a content.
func stored(c *codec.Coder, chunk []byte) (codec.ID, []byte) {
	id, form := c.First(nil, chunk)
	if id == codec.Raw {
		return id, chunk
	}
	return id, form
}

// Every chunk comes back as it was, and mail takes less space. A dst that has octets keeps them.
func TestRoundTrip(t *testing.T) {
	c := newCoder(t, codec.MethodZstd)
	for _, x := range []struct {
		name  string
		chunk []byte
		want  codec.ID
		most  float64 // share of the length
	}{
		{"empty", nil, codec.Raw, 1},
		{"one octet", []byte("x"), codec.Raw, 1},
		{"a line", []byte("Subject: hello\r\n"), codec.Raw, 1},
		{"a mail", mailOf(3000), codec.Zstd, 0.7},
		{"8 KiB", mailOf(8192), codec.Zstd, 0.6},
		{"a whole chunk", mailOf(codec.MaxChunk), codec.Zstd, 0.8},
		{"zeros", make([]byte, codec.MaxChunk), codec.Zstd, 0.01},
		{"noise", noise(8192), codec.Raw, 1},
		{"a chunk of noise", noise(codec.MaxChunk), codec.Raw, 1},
		{"base64", bench.Messages{Seed: 1, Size: 8192}.Text(1), codec.Zstd, 0.8},
		{"gains a little", append(make([]byte, 400), noise(9600)...), codec.Raw, 1},
		{"gains enough", append(make([]byte, 700), noise(9300)...), codec.Zstd, 0.95},
	} {
		t.Run(x.name, func(t *testing.T) {
			id, form := stored(c, x.chunk)
			if id != x.want || float64(len(form)) > x.most*float64(len(x.chunk)) {
				t.Errorf("codec %d, %d octets of %d; want codec %d, at most %.0f", id, len(form), len(x.chunk), x.want, x.most*float64(len(x.chunk)))
			}
			if codec.IsRaw(id, form, len(x.chunk)) != (id == codec.Raw) {
				t.Error("IsRaw contradicts the codec")
			}
			for _, dst := range [][]byte{nil, []byte("before"), make([]byte, 0, 2*codec.MaxChunk)} {
				got, err := c.Decode(id, dst, form, len(x.chunk))
				if err != nil || !bytes.HasPrefix(got, dst) || !bytes.Equal(got[len(dst):], x.chunk) {
					t.Errorf("decoded behind %d octets: %d octets, %v", len(dst), len(got), err)
				}
			}
		})
	}
}

// A further chunk of a compressed content stays raw if zstd makes it longer, and every chunk of a raw content
// stays raw.
func TestFurtherChunks(t *testing.T) {
	c := newCoder(t, codec.MethodZstd)
	text, rest := mailOf(8192), noise(8192)
	if form := c.Next(codec.Zstd, nil, rest); len(form) != 0 {
		t.Errorf("noise became %d octets", len(form))
	}
	if form := c.Next(codec.Raw, nil, text); len(form) != 0 {
		t.Errorf("a chunk of a raw content became %d octets", len(form))
	}
	form := c.Next(codec.Zstd, []byte("before"), text)
	if len(form) == 0 || len(form) > len(text) || !bytes.HasPrefix(form, []byte("before")) {
		t.Fatalf("text became %d octets", len(form))
	}
	for name, x := range map[string]struct{ form, want []byte }{"text": {form[6:], text}, "noise": {rest, rest}, "raw text": {text, text}} {
		if got, err := c.Decode(codec.Zstd, nil, x.form, len(x.want)); err != nil || !bytes.Equal(got, x.want) {
			t.Errorf("%s: %d octets, %v", name, len(got), err)
		}
	}
}

// Without compression new contents stay raw, and compressed ones are read.
func TestNone(t *testing.T) {
	on, off := newCoder(t, codec.MethodZstd), newCoder(t, codec.MethodNone)
	text := mailOf(8192)
	id, form := on.First(nil, text)
	if got, err := off.Decode(id, nil, form, len(text)); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d octets, %v", len(got), err)
	}
	if id, form := off.First(nil, text); id != codec.Raw || len(form) > 0 || off.Compresses() || !on.Compresses() {
		t.Errorf("codec %d", id)
	}
	if form := off.Next(codec.Zstd, nil, text); len(form) > 0 {
		t.Errorf("a further chunk became %d octets", len(form))
	}
	if _, err := codec.New("gzip"); err == nil {
		t.Error("an unknown method was taken")
	}
}

// golden is a compressed chunk as stored by the first release, and its text.
const (
	golden     = "28b52ffd0400e5020042c51218a0b50d0f3bfdf729d2bfe72798cd8e33bd1bbcb8282a4f14c609bfed9c43bb773e4aa5dd92c343a5dd38cfeb0252530e93a73cbe1c163fd837cb01860a6bac2e4644ae2e3ef23017200104003f6548cc3828f37dd1639601461b7d66"
	goldenText = "From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: lunch\r\n\r\nLunch at noon, lunch at one, lunch at two.\r\nLunch at noon, lunch at one, lunch at two.\r\n"
)

// Chunks of the first release stay readable.
func TestGolden(t *testing.T) {
	form, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	c := newCoder(t, codec.MethodZstd)
	got, err := c.Decode(codec.Zstd, nil, form, len(goldenText))
	if err != nil || string(got) != goldenText {
		_, now := c.First(nil, []byte(goldenText))
		t.Errorf("%q, %v; this release writes %x", got, err, now)
	}
}

// Damage is found, whatever octet it is in: a frame has a checksum.
func TestDamage(t *testing.T) {
	c := newCoder(t, codec.MethodZstd)
	text := mailOf(8192)
	_, form := c.First(nil, text)
	for at := range form {
		bad := bytes.Clone(form)
		bad[at] ^= 0x04
		if got, err := c.Decode(codec.Zstd, nil, bad, len(text)); !errors.Is(err, store.ErrCorrupt) || len(got) > 0 {
			// A few bits of a frame mean nothing to a reader.
			if !bytes.Equal(got, text) {
				t.Fatalf("octet %d changed: %d octets, %v", at, len(got), err)
			}
		}
	}
	for _, n := range []int{0, 1, 4, 100, len(form) - 1} {
		if _, err := c.Decode(codec.Zstd, nil, form[:n], len(text)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("cut to %d octets: %v", n, err)
		}
	}
	for name, length := range map[string]int{"a longer chunk": len(text) + 1, "a shorter chunk": len(text) - 1, "a negative length": -1, "too long": codec.MaxChunk + 1} {
		if _, err := c.Decode(codec.Zstd, nil, form, length); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Decode(codec.Raw, nil, text, len(text)+1); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a raw chunk that is short: %v", err)
	}
}

// A later codec is a temporary fault, and no damage.
func TestUnknownCodec(t *testing.T) {
	c := newCoder(t, codec.MethodZstd)
	for _, id := range []codec.ID{2, 127, -1} {
		_, err := c.Decode(id, nil, []byte("abc"), 3)
		if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "does not know") {
			t.Errorf("codec %d: %v", id, err)
		}
	}
}

// A frame that claims or makes more than the chunk is refused, and takes no memory beyond the chunk.
func TestBomb(t *testing.T) {
	enc, err := zstd.NewWriter(nil, zstd.WithWindowSize(codec.MaxChunk))
	if err != nil {
		t.Fatal(err)
	}
	known := enc.EncodeAll(make([]byte, 64<<20), nil)
	var stream bytes.Buffer
	enc.Reset(&stream) // a frame that does not tell its size
	for range 64 {
		if _, err := enc.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	one := zstdFrame(t, make([]byte, 8192))
	many := bytes.Repeat(one, 100)
	c := newCoder(t, codec.MethodNone)
	for name, form := range map[string][]byte{"with its size": known, "without its size": stream.Bytes(), "many frames": many} {
		for _, length := range []int{len(form) + 1, 100_000, codec.MaxChunk} {
			dst := make([]byte, 0, codec.MaxChunk)
			const runs = 10
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				if _, err := c.Decode(codec.Zstd, dst, form, length); !errors.Is(err, store.ErrCorrupt) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			runtime.ReadMemStats(&after)
			if octets := (after.TotalAlloc - before.TotalAlloc) / runs; octets > 4*codec.MaxChunk {
				t.Errorf("%s, chunk of %d: %d octets allocated", name, length, octets)
			}
		}
	}
}

func zstdFrame(t *testing.T, b []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return enc.EncodeAll(b, nil)
}

// FuzzDecode decodes arbitrary octets: either a chunk of the right length, or an error of the right class.
func FuzzDecode(f *testing.F) {
	c := newCoder(f, codec.MethodZstd)
	form, _ := hex.DecodeString(golden)
	f.Add(int8(1), form, len(goldenText))
	f.Add(int8(1), form[:20], len(goldenText))
	f.Add(int8(1), []byte("plain"), 5)
	f.Add(int8(0), []byte("plain"), 5)
	f.Add(int8(2), []byte("plain"), 5)
	_, form = c.First(nil, mailOf(8192))
	f.Add(int8(1), form, 8192)
	f.Add(int8(1), form, codec.MaxChunk)
	f.Fuzz(func(t *testing.T, id int8, form []byte, length int) {
		got, err := c.Decode(codec.ID(id), nil, form, length)
		switch {
		case err == nil && len(got) != length:
			t.Fatalf("%d octets and no error, want %d", len(got), length)
		case err != nil && len(got) != 0:
			t.Fatalf("%d octets beside the error %v", len(got), err)
		case err != nil && errors.Is(err, store.ErrCorrupt) == errors.Is(err, store.ErrUnavailable):
			t.Fatalf("error %v of both classes, or of none", err)
		case cap(got) > codec.MaxChunk+1024:
			t.Fatalf("%d octets of memory", cap(got))
		}
	})
}

// FuzzRoundTrip stores arbitrary octets as first and as further chunk.
func FuzzRoundTrip(f *testing.F) {
	c := newCoder(f, codec.MethodZstd)
	f.Add([]byte(""), 1)
	f.Add([]byte("Subject: x\r\n\r\n"), 900)
	f.Add(noise(100), 20)
	f.Fuzz(func(t *testing.T, piece []byte, times int) {
		chunk := bytes.Repeat(piece, max(0, min(times, codec.MaxChunk/max(1, len(piece)))))
		if len(chunk) > codec.MaxChunk {
			return
		}
		id, form := stored(c, chunk)
		if got, err := c.Decode(id, nil, form, len(chunk)); err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("first chunk: %v", err)
		}
		if form = c.Next(codec.Zstd, nil, chunk); len(form) == 0 {
			form = chunk
		}
		if got, err := c.Decode(codec.Zstd, nil, form, len(chunk)); err != nil || !bytes.Equal(got, chunk) {
			t.Fatalf("further chunk: %v", err)
		}
	})
}

func BenchmarkMail(b *testing.B) {
	c := newCoder(b, codec.MethodZstd)
	var all [][]byte
	octets := 0
	for n := range int64(200) {
		text := bench.Messages{Seed: 1, Size: 8192, Realistic: true}.Text(n)
		all = append(all, text)
		octets += len(text)
	}
	forms := make([][]byte, len(all))
	b.Run("compress 8 KiB", func(b *testing.B) {
		b.SetBytes(8192)
		b.ReportAllocs()
		var form []byte
		sum := 0
		for i := 0; b.Loop(); i++ {
			_, form = c.First(form[:0], all[i%len(all)])
			sum += len(form)
		}
		b.ReportMetric(float64(sum)/float64(b.N)/8192, "ratio")
	})
	for i := range all {
		_, forms[i] = c.First(nil, all[i])
	}
	b.Run("decompress 8 KiB", func(b *testing.B) {
		b.SetBytes(8192)
		b.ReportAllocs()
		dst := make([]byte, 0, 8192)
		for i := 0; b.Loop(); i++ {
			if _, err := c.Decode(codec.Zstd, dst, forms[i%len(all)], 8192); err != nil {
				b.Fatal(err)
			}
		}
	})
}
