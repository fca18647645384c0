package ledger

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"popelago/mail"
)

// TestFingerprint: the same octets have the same fingerprint however the text is cut into pieces, and
// different octets have different fingerprints.
func TestFingerprint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (e mail.Envelope, text []byte) {
			e.ReversePath = rapid.SampledFrom([]string{"", "a", "ab"}).Draw(t, name+" path")
			e.Received.Remote = rapid.SampledFrom([]netip.Addr{
				{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
			}).Draw(t, name+" remote")
			return e, rapid.SliceOfN(rapid.SampledFrom([]byte("ab\r\n\x00")), 0, 6).Draw(t, name+" text")
		}
		sum := func(name string, e mail.Envelope, text []byte) Fingerprint {
			f := NewHash(e)
			for len(text) > 0 {
				n := rapid.IntRange(1, len(text)).Draw(t, name+" piece")
				f.Add(text[:n])
				text = text[n:]
			}
			return f.Sum()
		}
		e1, text1 := draw("first")
		e2, text2 := draw("second")
		same := e1.ReversePath == e2.ReversePath && e1.Received.Remote == e2.Received.Remote && string(text1) == string(text2)
		if (sum("first", e1, text1) == sum("second", e2, text2)) != same {
			t.Errorf("%q %v %q and %q %v %q", e1.ReversePath, e1.Received.Remote, text1, e2.ReversePath, e2.Received.Remote, text2)
		}
		if sum("again", e1, text1) != sum("once more", e1, text1) {
			t.Error("the pieces make a difference")
		}
	})
}

func BenchmarkFingerprint(b *testing.B) {
	text := make([]byte, 8<<10)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		f := NewHash(mail.Envelope{ReversePath: "sender@example.org"})
		f.Add(text)
		f.Sum()
	}
}
