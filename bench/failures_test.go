package bench

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&replyError{"RCPT", "550 5.1.1 <user7@example.test> unknown"}, "RCPT: 550 5.1.1 # unknown"},
		{&replyError{"PASS", "-ERR [IN-USE] locked by session 4711 (4711)"}, "PASS: -ERR [IN-USE] locked by session # (#)"},
		{&replyError{"RCPT", "550 5.1.1 no such recipient (session 0f2d41a9)"}, "RCPT: 550 5.1.1 no such recipient (session #)"},
		{&replyError{"content", "451 4.3.0 try again later, session a1b2"}, "content: 451 4.3.0 try again later, session #"},
		{fmt.Errorf("bench: %w", io.ErrUnexpectedEOF), "connection closed by the server"},
		{errors.New("octet 12 is bad"), "octet # is bad"},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("classify(%v) = %q, want %q", c.err, got, c.want)
		}
	}
}

// However many different texts a server has, the report stays short.
func TestFailuresAreBounded(t *testing.T) {
	var f failures
	for i := range 26 * 26 {
		f.add(fmt.Errorf("failure %c%c", 'a'+i/26, 'a'+i%26), 1)
	}
	list := f.list()
	var sum int64
	for _, e := range list {
		sum += e.Count
	}
	if len(list) != maxClasses+1 || sum != 26*26 || list[0].Class != "(others)" {
		t.Errorf("%d classes with %d errors, first %+v", len(list), sum, list[0])
	}
}
