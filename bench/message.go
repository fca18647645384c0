package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
)

// tokenHeader is the first line of every generated message, up to the token.
const tokenHeader = "X-Bench-Id: "

// MinSize and maxSize bound the size of a generated message in octets.
const (
	MinSize      = 400
	minRealistic = 3000
	maxSize      = 1 << 30
)

// Messages selects the generated messages. Together with a number it gives one message, always the
// same.
type Messages struct {
	// Seed separates runs: runs with the same seed generate the same messages. 0 lets Deliver
	// choose a seed at random.
	Seed uint64

	// Size is the size of a message in octets, headers included, line ends as CRLF and
	// without dot-stuffing. Default 8192; with Realistic each message has a size of its own.
	Size int

	// Awkward is the share (0 to 1) of messages with lines of dots, 8-bit octets, lines
	// of 998 octets, trailing blanks and empty lines. Default 0.
	Awkward float64

	// Realistic messages are letters, newsletters, notices and mail with attachments, which compress
	// as real mail does. The other messages are letters and digits at random.
	Realistic bool
}

// validate fills in the defaults and describes errors of m in words for the user.
func (m *Messages) validate() error {
	if m.Seed == 0 {
		m.Seed = uint64(rand.Uint32()) + 1
	}
	if m.Size == 0 && !m.Realistic {
		m.Size = 8192
	}
	if smallest := m.smallest(); m.Size != 0 && m.Size < smallest || m.Size < 0 || m.Size > maxSize {
		return fmt.Errorf("bench: message size %d: want %d to %d octets", m.Size, smallest, maxSize)
	}
	if m.Awkward < 0 || m.Awkward > 1 {
		return fmt.Errorf("bench: share of awkward messages %v: want 0 to 1", m.Awkward)
	}
	if m.Awkward > 0 && m.Realistic {
		return errors.New("bench: messages are either awkward or realistic")
	}
	return nil
}

// smallest returns the smallest size in octets.
func (m Messages) smallest() int {
	if m.Realistic {
		return minRealistic
	}
	return MinSize
}

// Text returns message number n as RETR should return the message.
func (m Messages) Text(n int64) []byte { return appendMessage(nil, m.token(n)) }

// token returns the identity of message number n.
func (m Messages) token(n int64) token {
	// The fractional part of n*share steps by share, so the awkward ones are spread evenly.
	share := m.Awkward
	awkward := share > 0 && (share >= 1 || int64(float64(n+1)*share) != int64(float64(n)*share))
	size := m.Size
	if size == 0 && m.Realistic {
		size = realisticSize(m.Seed, n)
	}
	return token{seed: m.Seed, number: n, size: size, awkward: awkward, realistic: m.Realistic}
}

// token identifies a message and determines all its octets.
type token struct {
	seed      uint64
	number    int64
	size      int
	awkward   bool
	realistic bool
}

// appendTo appends the token in the form of the header line and of the journal.
func (t token) appendTo(b []byte) []byte {
	b = append(b, "b-"...)
	b = strconv.AppendUint(b, t.seed, 16)
	b = append(b, '-')
	b = strconv.AppendInt(b, t.number, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, int64(t.size), 10)
	switch {
	case t.awkward:
		return append(b, "-a"...)
	case t.realistic:
		return append(b, "-r"...)
	}
	return append(b, "-p"...)
}

// String returns the token in its text form.
func (t token) String() string { return string(t.appendTo(nil)) }

// errNoToken is a message without a header line of ours.
var errNoToken = errors.New("no " + strings.TrimSuffix(tokenHeader, ": ") + " header with a token")

// parseToken reads the text form.
func parseToken(s string) (token, error) {
	parts := strings.Split(s, "-")
	if len(parts) != 5 || parts[0] != "b" || len(parts[4]) != 1 || !strings.Contains("apr", parts[4]) {
		return token{}, errNoToken
	}
	seed, err1 := strconv.ParseUint(parts[1], 16, 64)
	number, err2 := strconv.ParseInt(parts[2], 10, 64)
	size, err3 := strconv.Atoi(parts[3])
	realistic := parts[4] == "r"
	if smallest := (Messages{Realistic: realistic}).smallest(); err1 != nil || err2 != nil || err3 != nil || size < smallest || size > maxSize {
		return token{}, errNoToken
	}
	return token{seed: seed, number: number, size: size, awkward: parts[4] == "a", realistic: realistic}, nil
}

// findToken looks for the X-Bench-Id line in the header of a message. start is the beginning of
// that line: the generator's text reaches from start to the end.
func findToken(message []byte) (t token, start int, err error) {
	for start < len(message) {
		line, _, _ := bytes.Cut(message[start:], []byte("\n"))
		if bytes.HasPrefix(line, []byte(tokenHeader)) {
			text := bytes.TrimRight(line[len(tokenHeader):], "\r")
			t, err = parseToken(string(text))
			return t, start, err
		}
		if len(bytes.TrimRight(line, "\r")) == 0 {
			break
		}
		start += len(line) + 1
	}
	return token{}, 0, errNoToken
}

// poolLines is the number of ready-made lines in a pool; each is poolLine octets with CRLF.
const (
	poolLines = 1024
	poolLine  = 78
)

// pools holds the ready-made text of each seed: a slice of poolLines*poolLine octets of letters and
// digits in lines that never begin with a dot. Copying text costs less than generating it.
var pools sync.Map

// poolOf returns the text of a seed.
func poolOf(seed uint64) []byte {
	if p, ok := pools.Load(seed); ok {
		return p.([]byte)
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	rng := rand.New(rand.NewPCG(seed, 0))
	p := make([]byte, 0, poolLines*poolLine)
	for range poolLines {
		for range poolLine - 2 {
			p = append(p, letters[rng.Uint64()&63])
		}
		p = append(p, '\r', '\n')
	}
	actual, _ := pools.LoadOrStore(seed, p)
	return actual.([]byte)
}

// markEvery is the number of text lines between two lines with the token, so that mixed parts of
// two messages are noticed.
const markEvery = 12

// appendMessage appends the message of t as RETR should return it: t.size octets, CRLF line ends,
// no dot-stuffing.
func appendMessage(b []byte, t token) []byte {
	if t.realistic {
		return appendRealistic(b, t)
	}
	start := len(b)
	end := start + t.size
	b = append(b, tokenHeader...)
	b = t.appendTo(b)
	b = append(b, "\r\nFrom: Bench <bench@example.test>\r\nTo: undisclosed-recipients:;\r\nSubject: bench message "...)
	b = strconv.AppendInt(b, t.number, 10)
	b = append(b, "\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <"...)
	b = t.appendTo(b)
	b = append(b, "@bench.example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"...)

	pool := poolOf(t.seed)
	line := int(uint64(t.number) * 7 % poolLines)
	mark := 0
	for len(b) < end {
		if t.awkward {
			b = appendAwkward(b, t, mark)
		}
		b = append(b, "part "...)
		b = strconv.AppendInt(b, int64(mark), 10)
		b = append(b, " of "...)
		b = t.appendTo(b)
		b = append(b, '\r', '\n')
		mark++
		n := min(markEvery, poolLines-line)
		b = append(b, pool[line*poolLine:(line+n)*poolLine]...)
		line = (line + n) % poolLines
	}
	return cutTo(b, end)
}

// appendAwkward appends lines that servers often get wrong. CR and LF come only as CRLF, and NUL
// never: a server may refuse those.
func appendAwkward(b []byte, t token, mark int) []byte {
	switch (t.number + int64(mark)) % 5 {
	case 0: // dot-stuffing (RFC 5321 section 4.5.2)
		b = append(b, ".\r\n..\r\n...\r\n.text\r\n.\r\n \r\n. \r\n"...)
	case 1: // 8 bits, valid UTF-8 or not
		b = append(b, "Gr\u00fc\u00dfe \u65e5\u672c\r\n"...)
		for c := 0x80; c < 0x100; c++ {
			b = append(b, byte(c))
		}
		b = append(b, "\r\n"...)
	case 2: // the longest allowed line (RFC 5321 section 4.5.3.1.6), and a further dot
		b = append(b, '.')
		b = append(b, bytes.Repeat([]byte("x"), 996)...)
		b = append(b, ".\r\n"...)
	case 3: // blanks, empty lines, lines that other mailbox formats quote
		b = append(b, "\r\n\r\ntrailing blanks  \t\r\nFrom here on\r\n>From there\r\n\r\n"...)
	case 4: // control octets
		b = append(b, "\x01\x07\x08\x0b\x0c\x1a\x1b\x7f\r\n"...)
	}
	return b
}

// appendStuffed appends text with dot-stuffing (RFC 5321 section 4.5.2) and without the final
// dot. text has CRLF line ends.
func appendStuffed(b, text []byte) []byte {
	if len(text) > 0 && text[0] == '.' {
		b = append(b, '.')
	}
	for {
		i := indexDot(text)
		if i < 0 {
			return append(b, text...)
		}
		b = append(b, text[:i+3]...)
		b = append(b, '.')
		text = text[i+3:]
	}
}

// indexDot returns the index of the first "\r\n." in text, or -1. It jumps from line end to line
// end, which is several times as fast as a search for three octets.
func indexDot(text []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		if from < len(text) && text[from] == '.' && from >= 2 && text[from-2] == '\r' {
			return from - 2
		}
	}
}
