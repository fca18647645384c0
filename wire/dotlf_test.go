package wire_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"popelago/wire"
)

// readLF reads a text with LFEndsLine, and the next line.
func readLF(in [][]byte, size int) (text []byte, next string, err error) {
	serve(wire.Config{}, in, func(c *wire.Conn) {
		d := c.NewDotReader()
		d.LFEndsLine = true
		if text, err = readAll(d, size); err != nil {
			return
		}
		line, lineErr := c.ReadLine()
		if next = string(line); lineErr != nil {
			next = fmt.Sprint(lineErr)
		}
	})
	return text, next, err
}

// referenceLF reads a text in which LF ends lines in the obvious way. The text ends in the same place
// as without LFEndsLine.
func referenceLF(in []byte) (text, rest []byte, ended bool) {
	_, rest, ended = referenceText(in)
	text = in
	if ended {
		text = in[:len(in)-len(rest)-len(".\r\n")]
	}
	var out []byte
	for line := range bytes.Lines(text) {
		if line[0] == '.' && !bytes.Equal(line, []byte(".\n")) && !bytes.Equal(line, []byte(".\r\n")) {
			line = line[1:]
		}
		out = append(out, line...)
	}
	return out, rest, ended
}

func TestDotReaderWithLF(t *testing.T) {
	tests := []struct{ in, want string }{
		{".\r\n", ""},
		{"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"},
		{"a\n.\nb\n\r\n.\r\n", "a\n.\nb\n\r\n"},
		{"a\r\n.\nb\r\n.\r\n", "a\r\n.\nb\r\n"},
		{"..\n..x\n.y\n...\r\n.\r\n", ".\n.x\ny\n..\r\n"},
		{"a\r.\rb\r\n.\r\n", "a\r.\rb\r\n"},
		{"a\r\r\n.\r\n", "a\r\r\n"},
	}
	for _, test := range tests {
		for chunk := 1; chunk <= len(test.in); chunk++ {
			for _, size := range []int{1, 2, 100} {
				got, next, err := readLF(split([]byte(test.in+"NEXT\r\n"), chunk), size)
				if string(got) != test.want || next != "NEXT" || err != nil {
					t.Errorf("%q, chunks of %d, reads of %d: %q, then %q, %v; want %q", test.in, chunk, size, got, next, err, test.want)
				}
			}
		}
	}
}

// FuzzDotReaderWithLF compares the text with referenceLF, and its end with the end without LFEndsLine.
func FuzzDotReaderWithLF(f *testing.F) {
	f.Add([]byte("a\r\n..b\r\n.\rc\n.\n\r\n.\r\nNEXT\r\n"), 3, 2)
	f.Add([]byte("\n.\r\r\n.\r\n"), 1, 1)
	f.Fuzz(func(t *testing.T, in []byte, chunk, size int) {
		chunk, size = max(1, chunk%1000), max(1, size%1000)
		want, rest, ended := referenceLF(in)
		got, next, err := readLF(split(in, chunk), size)
		if ended != (err == nil) || !ended && err != io.ErrUnexpectedEOF {
			t.Fatalf("chunks of %d, reads of %d: ended %v, error %v", chunk, size, ended, err)
		}
		if !ended {
			return // the texts without end may differ in their last line
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("chunks of %d, reads of %d:\ngot  %q\nwant %q", chunk, size, got, want)
		}
		if line, _, ok := bytes.Cut(rest, []byte("\n")); ok && len(line) < 4000 && next != string(bytes.TrimSuffix(line, []byte("\r"))) {
			t.Fatalf("the next line is %q, want the first of %q", next, rest)
		}
	})
}
