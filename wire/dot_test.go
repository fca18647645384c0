package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/wire"
)

// readText reads a text with reads of size octets, then the next line.
func readText(chunks [][]byte, size int) (text []byte, next string, err error) {
	serve(wire.Config{}, chunks, func(c *wire.Conn) {
		d := c.NewDotReader()
		text, err = readAll(d, size)
		if err != nil {
			return
		}
		if n, again := d.Read(make([]byte, 1)); n != 0 || again != io.EOF {
			err = errors.New("Read behind the end is not EOF")
		}
		line, lineErr := c.ReadLine()
		next = string(line)
		if lineErr != nil {
			next = lineErr.Error()
		}
	})
	return text, next, err
}

func readAll(r io.Reader, size int) (all []byte, err error) {
	p := make([]byte, size)
	for {
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// referenceText reads a text octet by octet, as a reference for DotReader. It returns the text and the
// rest of in. ended is false if in has no end of the text.
func referenceText(in []byte) (text []byte, rest []byte, ended bool) {
	start := true
	for i := 0; i < len(in); {
		if start && in[i] == '.' {
			if bytes.HasPrefix(in[i:], []byte(".\r\n")) {
				return text, in[i+3:], true
			}
			if i+1 == len(in) || i+2 == len(in) && in[i+1] == '\r' {
				return text, nil, false // the meaning of the dot is not known yet
			}
			i++
			start = false
			continue
		}
		text = append(text, in[i])
		start = in[i] == '\n' && i > 0 && in[i-1] == '\r'
		i++
	}
	return text, nil, false
}

func TestDotReader(t *testing.T) {
	tests := []struct {
		name, in, want string
		ended          bool
	}{
		{"empty", ".\r\n", "", true},
		{"line", "a\r\n.\r\n", "a\r\n", true},
		{"stuffed", "..\r\n...\r\n.x\r\n.\r\n", ".\r\n..\r\nx\r\n", true},
		{"blank lines", "\r\n\r\n.\r\n", "\r\n\r\n", true},
		// End-of-data smuggling: none of the sequences ends the text.
		{"LF dot LF", "a\n.\n.\r\n\r\n.\r\n", "a\n.\n.\r\n\r\n", true},
		{"LF dot CRLF", "a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", true},
		{"CRLF dot LF", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", true},
		{"CR dot CR", "a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", true},
		{"CR dot CRLF", "a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", true},
		{"CRLF dot CR", "a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", true},
		{"CRLF dot CR CRLF", "a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", true},
		{"CR CRLF dot CRLF", "abc\r\r\n.\r\n", "abc\r\r\n", true},
		{"NUL before dot", "a\r\n\x00.\r\n.\r\n", "a\r\n\x00.\r\n", true},
		{"cut", "a\r\n.", "a\r\n", false},
		{"cut before LF", "a\r\n.\r", "a\r\n", false},
		{"cut in line", "a", "a", false},
		{"70 KB line", strings.Repeat("x.", 35_000) + "\r\n.\r\n", strings.Repeat("x.", 35_000) + "\r\n", true},
	}
	for _, tt := range tests {
		for _, chunk := range []int{1, 2, 3, 4, 5, 7, 100_000} {
			for _, size := range []int{1, 2, 3, 5, 32 << 10} {
				if len(tt.in) > 1000 && (chunk < 7 || size < 5) {
					continue
				}
				in := tt.in
				if tt.ended {
					in += "NEXT\r\n"
				}
				got, next, err := readText(split([]byte(in), chunk), size)
				if string(got) != tt.want {
					t.Errorf("%s, chunks of %d, reads of %d: got %q, want %q", tt.name, chunk, size, got, tt.want)
				}
				switch {
				case tt.ended && (err != nil || next != "NEXT"):
					t.Errorf("%s, chunks of %d, reads of %d: error %v, then %q", tt.name, chunk, size, err, next)
				case !tt.ended && err != io.ErrUnexpectedEOF:
					t.Errorf("%s, chunks of %d, reads of %d: error %v, want %v", tt.name, chunk, size, err, io.ErrUnexpectedEOF)
				}
			}
		}
	}
}

func FuzzDotReader(f *testing.F) {
	f.Add([]byte("a\r\n..b\r\n.\rc\n.\n\r\n.\r\nNEXT\r\n"), 3, 2)
	f.Add([]byte("\r\n.\r\r\n.\r\n"), 1, 1)
	f.Fuzz(func(t *testing.T, in []byte, chunk, size int) {
		chunk, size = max(1, chunk%1000), max(1, size%1000)
		want, rest, ended := referenceText(in)
		got, next, err := readText(split(in, chunk), size)
		if !bytes.Equal(got, want) {
			t.Fatalf("chunks of %d, reads of %d:\ngot  %q\nwant %q", chunk, size, got, want)
		}
		if ended != (err == nil) {
			t.Fatalf("ended %v, error %v", ended, err)
		}
		if ended {
			wantNext := "EOF"
			if line, _, ok := bytes.Cut(rest, []byte("\n")); ok {
				wantNext = string(bytes.TrimSuffix(line, []byte("\r")))
				if len(wantNext) > 4096 {
					return
				}
			}
			if next != wantNext {
				t.Fatalf("the next line is %q, want %q", next, wantNext)
			}
		}
	})
}

// writeText writes a text in pieces of size octets.
func writeText(text []byte, size int) []byte {
	return serve(wire.Config{}, nil, func(c *wire.Conn) {
		d := c.NewDotWriter()
		for _, piece := range split(text, size) {
			d.Write(piece)
		}
		d.Close()
	})
}

func TestDotWriter(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ".\r\n"},
		{"line", "a\r\n", "a\r\n.\r\n"},
		{"dots", ".\r\n..\r\n.x\r\nx.\r\n", "..\r\n...\r\n..x\r\nx.\r\n.\r\n"},
		{"no final CRLF", "a", "a\r\n.\r\n"},
		{"only a dot", ".", "..\r\n.\r\n"},
		{"blank lines", "\r\n\r\n", "\r\n\r\n.\r\n"},
	}
	for _, tt := range tests {
		for size := 1; size < 6; size++ {
			if got := writeText([]byte(tt.in), size); string(got) != tt.want {
				t.Errorf("%s, pieces of %d: got %q, want %q", tt.name, size, got, tt.want)
			}
		}
	}
}

func TestDotRoundTripOfCorpus(t *testing.T) {
	for _, m := range mailtest.Corpus() {
		if m.Large {
			continue
		}
		text := m.Octets()
		sent := writeText(text, 4096)
		got, _, err := readText(split(sent, 1400), 32<<10)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%s: %d octets came back as %d, error %v", m.Name, len(text), len(got), err)
		}
	}
}

func FuzzDotRoundTrip(f *testing.F) {
	f.Add([]byte(".\n..\nx\n\n."), 3, 2)
	f.Fuzz(func(t *testing.T, in []byte, size, chunk int) {
		// A text has CRLF line ends only.
		text := bytes.ReplaceAll(bytes.ReplaceAll(in, []byte("\r"), nil), []byte("\n"), []byte("\r\n"))
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n")) {
			text = append(text, "\r\n"...)
		}
		sent := writeText(text, max(1, size%1000))
		got, _, err := readText(split(sent, max(1, chunk%1000)), 512)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("wrote %q, sent %q, read %q, error %v", text, sent, got, err)
		}
	})
}

func TestBodyReader(t *testing.T) {
	in := "0123456789" + strings.Repeat("x", 70_000) + ".\r\nBDAT\r\n"
	size := len(in) - len("BDAT\r\n")
	for _, chunk := range []int{1, 9, 256, 100_000} {
		if chunk == 1 && testing.Short() {
			continue
		}
		serve(wire.Config{}, split([]byte(in), chunk), func(c *wire.Conn) {
			got, err := readAll(c.NewBodyReader(int64(size)), 1000)
			if err != nil || string(got) != in[:size] {
				t.Errorf("chunks of %d: %d octets, error %v", chunk, len(got), err)
			}
			if line, err := c.ReadLine(); string(line) != "BDAT" {
				t.Errorf("chunks of %d: then %q, %v", chunk, line, err)
			}
			if n, err := c.NewBodyReader(0).Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("an empty chunk gave %d octets, error %v", n, err)
			}
			if _, err := readAll(c.NewBodyReader(5), 10); err != io.ErrUnexpectedEOF {
				t.Errorf("a cut chunk gave error %v", err)
			}
		})
	}
}
