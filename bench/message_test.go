package bench

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Messages have exactly the requested size, are the same every time, and have no octets that a
// server may refuse: no bare CR or LF, no NUL, no line over 998 octets.
func TestMessages(t *testing.T) {
	for _, size := range []int{MinSize, 401, 402, 1000, 1001, 1002, 1003, 8192, 200_000} {
		m := Messages{Seed: 42, Size: size, Awkward: 0.5}
		for n := range int64(40) {
			tok := m.token(n)
			text := appendMessage(nil, tok)
			if len(text) != size {
				t.Fatalf("message %v has %d octets", tok, len(text))
			}
			if !bytes.Equal(text, appendMessage([]byte("before"), tok)[6:]) {
				t.Fatalf("message %v differs when generated again", tok)
			}
			if !bytes.HasSuffix(text, []byte("\r\n")) || bytes.IndexByte(text, 0) >= 0 {
				t.Fatalf("message %v: no final CRLF, or a NUL", tok)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
				if strings.ContainsAny(line, "\r\n") || len(line) > 998 {
					t.Fatalf("message %v has the line %q", tok, line)
				}
			}
			const trace = "Return-Path: <>\r\nReceived: by x\r\n\tfor y\r\n"
			got, start, err := findToken(append([]byte(trace), text...))
			if err != nil || got != tok || start != len(trace) {
				t.Fatalf("findToken: %v at %d, %v; want %v at %d", got, start, err, tok, len(trace))
			}
		}
	}
}

// Realistic messages are as exact as the others, with a size for all and with sizes of their own.
func TestRealisticMessages(t *testing.T) {
	kinds := map[mailKind]int{}
	for _, size := range []int{0, minRealistic, 3001, 3002, 8192, 30_000, 200_001} {
		m := Messages{Seed: 7, Size: size, Realistic: true}
		if err := m.validate(); err != nil {
			t.Fatal(err)
		}
		for n := range int64(200) {
			tok := m.token(n)
			if size != 0 && tok.size != size {
				t.Fatalf("message %v: want %d octets", tok, size)
			}
			kinds[tok.kind()]++
			text := appendMessage(nil, tok)
			if len(text) != tok.size || !bytes.HasSuffix(text, []byte("\r\n")) || bytes.IndexByte(text, 0) >= 0 {
				t.Fatalf("message %v has %d octets, no final CRLF, or a NUL", tok, len(text))
			}
			if !bytes.Equal(text, m.Text(n)) {
				t.Fatalf("message %v differs when generated again", tok)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
				if strings.ContainsAny(line, "\r\n") || len(line) > 998 {
					t.Fatalf("message %v has the line %q", tok, line)
				}
			}
			if !bytes.Contains(text, []byte("\r\n\r\n")) {
				t.Fatalf("message %v has no body", tok)
			}
			if got, _, err := findToken(text); err != nil || got != tok {
				t.Fatalf("findToken: %v, %v; want %v", got, err, tok)
			}
		}
	}
	for _, k := range mailKinds {
		if kinds[k.kind] < 20 {
			t.Errorf("%d messages of kind %d", kinds[k.kind], k.kind)
		}
	}
}

// The share of awkward messages is the requested one.
func TestAwkwardShare(t *testing.T) {
	for _, share := range []float64{0, 0.01, 0.1, 0.5, 1} {
		m := Messages{Seed: 1, Size: 8192, Awkward: share}
		var n int
		for i := range int64(1000) {
			if m.token(i).awkward {
				n++
			}
		}
		if n != int(share*1000) {
			t.Errorf("share %v: %d of 1000 messages are awkward", share, n)
		}
	}
}

func TestParseToken(t *testing.T) {
	for _, in := range []string{"", "b-1-2-8192", "b-1-2-8192-x", "c-1-2-8192-p", "b-x-2-8192-p", "b-1-2-1-p", "b-1-2-99999999999-p"} {
		if tok, err := parseToken(in); err == nil {
			t.Errorf("parseToken(%q) = %v, want an error", in, tok)
		}
	}
	if _, _, err := findToken([]byte("Subject: x\r\n\r\nX-Bench-Id: b-1-2-8192-p\r\n")); err == nil {
		t.Error("a token was found in the body")
	}
	if _, _, err := findToken([]byte("Subject: without end")); err == nil {
		t.Error("a token was found where there is none")
	}
}

// readDots reads a whole text through a dotReader.
func readDots(in io.Reader, size int) (text []byte, rest string, err error) {
	c := popClient{link: &link{br: bufio.NewReaderSize(in, size)}}
	if text, err = c.readText(nil); err != nil {
		return text, "", err
	}
	b, err := io.ReadAll(c.link.br)
	return text, string(b), err
}

// The dot reader reads the text of appendStuffed back, in whatever pieces it arrives, and leaves
// the following input alone.
func FuzzDots(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a", "a\r\n.\r\nb", "\r", "\r\r\n.", "\r\n\r\n..\r\n.", ".\r", "a\n.\n"} {
		f.Add([]byte(s))
	}
	f.Add(appendMessage(nil, token{seed: 1, number: 1, size: 20_000, awkward: true}))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = append(text, "\r\n"...)
		const next = ".\r\n+OK next\r\n"
		wire := append(appendStuffed(nil, text), next...)
		for name, in := range map[string]io.Reader{
			"at once":       bytes.NewReader(wire),
			"half by half":  iotest.HalfReader(bytes.NewReader(wire)),
			"octet by one":  iotest.OneByteReader(bytes.NewReader(wire)),
			"end with data": iotest.DataErrReader(bytes.NewReader(wire)),
		} {
			for _, size := range []int{16, 4096} {
				got, rest, err := readDots(in, size)
				if err != nil || !bytes.Equal(got, text) || rest != next[3:] {
					t.Fatalf("%s, buffer %d: got %q, then %q, %v; want %q", name, size, got, rest, err, text)
				}
				in = bytes.NewReader(wire)
			}
		}
		if _, _, err := readDots(bytes.NewReader(wire[:len(wire)-len(next)]), 64); err != io.ErrUnexpectedEOF {
			t.Fatalf("without a final dot: %v, want %v", err, io.ErrUnexpectedEOF)
		}
	})
}

func BenchmarkSkipText(b *testing.B) {
	text := appendMessage(nil, token{seed: 1, number: 1, size: 8192})
	wire := append(appendStuffed(nil, text), ".\r\n"...)
	in := bytes.NewReader(nil)
	c := popClient{link: &link{br: bufio.NewReaderSize(in, readBuffer)}}
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		in.Reset(wire)
		c.link.br.Reset(in)
		if n, err := c.skipText(); err != nil || n != int64(len(text)) {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	var buf, wire []byte
	b.SetBytes(8192)
	for b.Loop() {
		buf = appendMessage(buf[:0], token{seed: 1, number: 1, size: 8192})
		wire = appendStuffed(wire[:0], buf)
	}
}
