package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// texts makes the text of each message again from its number.
type texts struct{ seed uint64 }

// of returns the text of a message.
func (t texts) of(number int) string {
	r := rand.New(rand.NewPCG(t.seed, uint64(number)))
	size := 40 + r.IntN(2000)
	switch r.IntN(200) {
	case 0:
		size = 256<<10 + r.IntN(300<<10) // two or three chunks
	case 1, 2, 3:
		size = 20_000 + r.IntN(30_000)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "From: <sender@example.org>\r\nMessage-ID: <%d@simulation.test>\r\nSubject: message %d\r\n\r\n", number, number)
	line := fmt.Sprintf("%08d line of the message, with words that repeat themselves\r\n", number)
	for b.Len() < size {
		b.WriteString(line)
	}
	b.WriteString("end\r\n")
	return b.String()
}

// numberOf returns the number of a retrieved message, and whether the message ends in the text that was sent.
func (t texts) numberOf(retrieved string) (number int, fits bool) {
	_, after, found := strings.Cut(retrieved, "\r\nMessage-ID: <")
	if !found {
		return -1, false
	}
	if _, err := fmt.Sscanf(after, "%d@simulation.test>", &number); err != nil {
		return -1, false
	}
	return number, strings.HasSuffix(retrieved, t.of(number))
}
