package mailtest

import (
	"bytes"
	"strings"
)

// maxPoplibLine is the longest line that Python's poplib accepts, in octets with CRLF.
const maxPoplibLine = 2048

// Message is one message of the corpus.
type Message struct {
	// Name is fit for a subtest and a file name.
	Name string
	// NoFinalCRLF says that the sender may leave out the last CRLF if the protocol allows (BDAT);
	// Octets has the last CRLF.
	NoFinalCRLF bool
	// EightBit and NUL report octets from 0x80 and NUL octets.
	EightBit, NUL bool
	// Large messages may be skipped in a quick run.
	Large bool
	// Huge messages are large messages that one program is enough for.
	Huge bool
	// LongestLine is the longest line in octets, without CRLF.
	LongestLine int
	// Gap is the text between the trace lines and a message that does not begin with a header field:
	// an empty line, or the name of a field.
	Gap string

	octets func() []byte
}

// Octets is the message as a server accepts it: every line ends in CRLF. A large message is made on
// demand, the same each time.
func (m Message) Octets() []byte { return m.octets() }

// Poplib reports whether Python's poplib can fetch the message.
func (m Message) Poplib() bool { return m.LongestLine+2 <= maxPoplibLine }

const head = "From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: "

// Corpus returns messages that have broken mail programs. RETR must return each message octet by octet
// as accepted.
func Corpus() []Message {
	var all []Message
	add := func(m Message, text string) {
		m.octets = func() []byte { return []byte(text) }
		m.NUL = strings.ContainsRune(text, 0)
		for _, line := range strings.Split(text, "\r\n") {
			m.LongestLine = max(m.LongestLine, len(line))
		}
		for i := range len(text) {
			m.EightBit = m.EightBit || text[i] >= 0x80
		}
		all = append(all, m)
	}
	add(Message{Name: "plain"}, head+"plain\r\n\r\nHello.\r\n")
	add(Message{Name: "dots"}, head+"dots\r\n\r\n.\r\n..\r\n...\r\n.x\r\n. \r\nx.\r\n\r\n.\r\n")
	add(Message{Name: "dot-first"}, ".starts: with a dot\r\n\r\nbody\r\n")
	add(Message{Name: "dot-only", Gap: "\r\n"}, ".\r\n")
	add(Message{Name: "dot-last"}, head+"dot last\r\n\r\ntext\r\n.\r\n")
	add(Message{Name: "no-final-crlf", NoFinalCRLF: true}, head+"no final line end\r\n\r\nlast line\r\n")
	add(Message{Name: "no-final-crlf-dot", NoFinalCRLF: true}, head+"no final line end\r\n\r\n.\r\n")
	add(Message{Name: "8bit"}, head+"8bit\r\n\r\nGr\xfc\xdfe \xff\xfe\x80 und UTF-8: \u00e4\u20ac\U0001F4EB\r\n")
	add(Message{Name: "8bit-header"}, head+"Gr\u00fc\u00dfe\r\nX-Latin: \xe4\xf6\xfc\r\n\r\nbody\r\n")
	add(Message{Name: "controls"}, head+"controls\r\n\r\n\x01\x02\x07\x08\x0b\x0c\x1a\x1b\x7f\ttab\r\n\x1a\r\n")
	add(Message{Name: "nul"}, head+"nul\r\n\r\na\x00b\r\n\x00\r\n\x00\x00\x00\r\n")
	add(Message{Name: "line-998"}, head+"longest allowed line\r\n\r\n"+strings.Repeat("a", 998)+"\r\n")
	add(Message{Name: "line-2046"}, head+"longest line of poplib\r\n\r\n"+strings.Repeat("b", 2046)+"\r\n")
	add(Message{Name: "line-70k"}, head+"very long line\r\n\r\n"+strings.Repeat("0123456789", 7000)+"\r\nend\r\n")
	add(Message{Name: "line-70k-dots"}, head+"very long line of dots\r\n\r\n"+strings.Repeat(".", 70000)+"\r\n")
	add(Message{Name: "header-70k"}, head+"very long header line\r\nX-Long: "+strings.Repeat("h", 70000)+"\r\n\r\nbody\r\n")
	add(Message{Name: "empty-body"}, head+"empty body\r\n\r\n")
	add(Message{Name: "header-only"}, head+"no blank line\r\n")
	add(Message{Name: "body-only"}, "\r\nbody only\r\n")
	add(Message{Name: "empty"}, "")
	add(Message{Name: "one-crlf"}, "\r\n")
	add(Message{Name: "no-header", Gap: "\r\n"}, "no header, only text\r\nSubject: not a header\r\n")
	add(Message{Name: "no-header-70k", Gap: "\r\n"}, strings.Repeat("t", 70000)+": not a field\r\n")
	add(Message{Name: "blank-first", Gap: "\r\n"}, " begins with a blank\r\n"+head+"not a header\r\n\r\nbody\r\n")
	add(Message{Name: "tab-first", Gap: "\r\n"}, "\t\r\nbody\r\n")
	add(Message{Name: "not-a-field", Gap: "\r\n"}, "Foo bar: x\r\n\r\nbody\r\n")
	add(Message{Name: "mbox-line", Gap: "Mailbox-Line: "}, "From alice@example.test Mon Jan  2 15:04:05 2006\r\n"+head+"mbox\r\n\r\nbody\r\n")
	add(Message{Name: "mbox-line-only", Gap: "\r\n"}, "From here on: no header\r\n\r\nbody\r\n")
	add(Message{Name: "many-crlf"}, head+"many line ends\r\n\r\n"+strings.Repeat("\r\n", 5000))
	add(Message{Name: "looks-like-pop3"}, head+"commands\r\n\r\n+OK\r\n-ERR\r\nQUIT\r\nDATA\r\nRSET\r\n")
	add(Message{Name: "many-headers"}, strings.Repeat("Received: from a by b; Mon, 2 Jan 2006 15:04:05 +0000\r\n", 40)+
		head+"many headers\r\n\r\nbody\r\n")
	add(Message{Name: "mid-size"}, head+"across all buffers\r\n\r\n"+
		strings.Repeat("."+strings.Repeat("m", 75)+"\r\n", 5000))
	return append(all,
		Message{Name: "10MB", Large: true, LongestLine: 76, octets: func() []byte { return Large(10_000_000) }},
		Message{Name: "50MB", Large: true, Huge: true, LongestLine: 76, octets: func() []byte { return Large(50_000_000) }})
}

// Large makes a message of about size octets, similar to a base64 attachment, with some lines that
// begin with a dot.
func Large(size int) []byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/."
	var b bytes.Buffer
	b.Grow(size + 200)
	b.WriteString(head + "large\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	var line [78]byte
	line[76], line[77] = '\r', '\n'
	for state := uint32(1); b.Len() < size; {
		for i := range 76 {
			state = state*1664525 + 1013904223
			line[i] = alphabet[state>>16%uint32(len(alphabet))]
		}
		b.Write(line[:])
	}
	return b.Bytes()
}
