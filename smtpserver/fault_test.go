package smtpserver_test

import (
	"fmt"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/storetest"
)

// TestEachFault lets every operation of the store fail in turn while messages arrive, by DATA and by
// BDAT. A message answered with 250 is in the mailbox, whole. A message with another reply is in the
// mailbox at most once, whole, and only if the store reported an unknown outcome.
func TestEachFault(t *testing.T) {
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		t.Run(string(protocol), func(t *testing.T) {
			storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
				faultScenario(t, protocol, wrap)
			})
		})
	}
}

func faultScenario(t *testing.T, protocol smtpserver.Protocol, wrap func(store.Store) store.Store) {
	r := newRig(t, protocol, func(s *smtptest.Settings) { s.Wrap = wrap })
	hello := "HELO client.example"
	if protocol == smtpserver.LMTP {
		hello = "LHLO client.example"
	}
	c := r.Client(t, hello)
	want := map[string]map[string]bool{"alice": {}, "bob": {}} // text -> true: must be in the mailbox; false: may be
	large := strings.Repeat(strings.Repeat("x", 98)+"\r\n", 1000)
	for i, body := range []string{"small\r\n", large, "in chunks\r\n"} {
		var accepted []string
		c.Do("MAIL FROM:<sender@example.org>", "250 ")
		for _, rcpt := range []string{"alice", "bob", "ALICE"} {
			switch answer := c.Do("RCPT TO:<"+rcpt+"@example.test>", ""); {
			case strings.HasPrefix(answer, "250 "):
				accepted = append(accepted, strings.ToLower(rcpt))
			case !strings.HasPrefix(answer, "451 4.3.0 "):
				t.Fatalf("RCPT: the server says %q", answer)
			}
		}
		octets := fmt.Sprintf("Subject: %d\r\n\r\n%s", i, body)
		var answers []string
		if i < 2 {
			answers = sendData(t, c, octets)
		} else {
			answers = sendTwoChunks(t, c, octets)
		}
		note(t, protocol, want, octets, accepted, answers, c)
		c.Do("RSET", "250 ") // the session goes on
	}
	c.Do("QUIT", "221 ")
	c.ExpectEOF()
	for local, texts := range want {
		seen := map[string]bool{}
		for _, m := range r.Inbox(t, local) {
			octets := smtptest.Text(t, m)
			if _, known := texts[octets]; !known || seen[octets] {
				t.Errorf("%s has a message too many: %.100q", local, octets)
			}
			seen[octets] = true
		}
		for octets, must := range texts {
			if must && !seen[octets] {
				t.Errorf("%s lacks an acknowledged message: %.100q", local, octets)
			}
		}
	}
}

// sendData sends a text by DATA. It returns the first reply to the text, or the reply to DATA.
func sendData(t *testing.T, c *mailtest.Client, octets string) []string {
	answer := c.Do("DATA", "")
	if !strings.HasPrefix(answer, "354 ") {
		return []string{answer}
	}
	c.Send(octets + ".\r\n")
	return []string{"354", c.Line()}
}

// sendTwoChunks sends a text by BDAT. It returns the replies to the chunks.
func sendTwoChunks(t *testing.T, c *mailtest.Client, octets string) []string {
	c.Send(fmt.Sprintf("BDAT 10\r\n%s", octets[:10]))
	first := c.Line()
	if !strings.HasPrefix(first, "250 ") {
		return []string{first}
	}
	c.Send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(octets)-10, octets[10:]))
	return []string{"354", c.Line()}
}

// note reads the remaining replies, and notes the messages that each recipient may now expect.
func note(t *testing.T, protocol smtpserver.Protocol, want map[string]map[string]bool, octets string, accepted, answers []string, c *mailtest.Client) {
	if len(answers) == 1 { // refused before the end of the text
		if !strings.HasPrefix(answers[0], "451 ") && !strings.HasPrefix(answers[0], "554 5.5.1 no valid") {
			t.Fatalf("the server says %q", answers[0])
		}
		return
	}
	for i, rcpt := range accepted {
		answer := answers[1]
		if protocol == smtpserver.LMTP && i > 0 {
			answer = c.Line()
		}
		switch {
		case strings.HasPrefix(answer, "250 2.0.0 ok "):
			want[rcpt][octets] = true
		case strings.HasPrefix(answer, "451 4.3.0 "):
			if !want[rcpt][octets] {
				want[rcpt][octets] = false
			}
		default:
			t.Fatalf("the server says %q", answer)
		}
	}
}
