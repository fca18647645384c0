package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Protocol is a protocol for delivering messages.
type Protocol string

// The protocols.
const (
	LMTP Protocol = "lmtp" // RFC 2033: a reply per recipient after the content
	SMTP Protocol = "smtp" // RFC 5321: one reply
)

// reply is a reply of SMTP or LMTP.
type reply struct {
	code int
	text string // the first line, with its code; empty for 2xx and 3xx
}

// ok reports whether the reply is of class 2.
func (r reply) ok() bool { return r.code/100 == 2 }

// delivery is one message in flight: its text, and its outcome for each recipient.
type delivery struct {
	token      token
	recipients []string
	outcomes   []outcome // one per recipient
	replies    []string  // the reply that decided the outcome, unless 2xx
	accepted   []int     // indexes of the recipients whose RCPT was accepted
}

// prepare makes d ready for an attempt to send t to recipients.
func (d *delivery) prepare(t token, recipients []string) {
	d.token = t
	d.recipients = append(d.recipients[:0], recipients...)
	d.outcomes = d.outcomes[:0]
	d.replies = d.replies[:0]
	for range recipients {
		d.outcomes = append(d.outcomes, outcomeUnsent)
		d.replies = append(d.replies, "")
	}
	d.accepted = d.accepted[:0]
}

// set notes the outcome for recipient i.
func (d *delivery) set(i int, o outcome, text string) {
	d.outcomes[i], d.replies[i] = o, text
}

// mailClient is one SMTP or LMTP connection. One goroutine uses it. After an error of the
// connection it is unusable.
type mailClient struct {
	link     *link
	protocol Protocol
	from     string
	chunking bool // send the content with BDAT
	pipeline bool
	eightBit bool
	size     bool
	sent     int // messages sent on this connection

	text []byte // the message being sent
	wire []byte // the next output
}

// dialMail connects to t and says hello. Buffers of old, which may be nil, are used again.
func dialMail(ctx context.Context, t Target, cfg *DeliverConfig, old *mailClient) (*mailClient, error) {
	l, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &mailClient{link: l, protocol: cfg.Protocol, from: cfg.From}
	if old != nil {
		c.text, c.wire = old.text, old.wire
	}
	if err := c.hello(t, cfg.Chunking); err != nil {
		l.close()
		return nil, err
	}
	return c, nil
}

// hello reads the greeting and sends EHLO or LHLO, and STARTTLS if the target wants it.
func (c *mailClient) hello(t Target, chunking bool) error {
	r, err := c.readReply()
	if err != nil {
		return err
	}
	if !r.ok() {
		return &replyError{"greeting", r.text}
	}
	extensions, err := c.ehlo()
	if err != nil {
		return err
	}
	if t.TLS == TLSStart {
		if !extensions["STARTTLS"] {
			return fmt.Errorf("the server does not offer STARTTLS")
		}
		if r, err = c.command("STARTTLS\r\n"); err != nil {
			return err
		}
		if !r.ok() {
			return &replyError{"STARTTLS", r.text}
		}
		if err := c.link.startTLS(t.tlsConfig()); err != nil {
			return err
		}
		if extensions, err = c.ehlo(); err != nil {
			return err
		}
	}
	c.pipeline, c.eightBit, c.size = extensions["PIPELINING"], extensions["8BITMIME"], extensions["SIZE"]
	if c.chunking = chunking; chunking && !extensions["CHUNKING"] {
		return fmt.Errorf("the server does not offer CHUNKING")
	}
	return nil
}

// ehlo sends EHLO or LHLO and returns the keywords of the server.
func (c *mailClient) ehlo() (map[string]bool, error) {
	verb := "EHLO"
	if c.protocol == LMTP {
		verb = "LHLO"
	}
	c.link.arm()
	if err := c.link.write([]byte(verb + " bench.example.test\r\n")); err != nil {
		return nil, err
	}
	extensions := make(map[string]bool)
	for {
		line, err := c.link.line()
		if err != nil {
			return nil, err
		}
		if len(line) < 3 || line[0] != '2' {
			return nil, &replyError{verb, string(line)}
		}
		if len(line) > 4 {
			keyword, _, _ := strings.Cut(string(line[4:]), " ")
			extensions[strings.ToUpper(keyword)] = true
		}
		if len(line) == 3 || line[3] != '-' {
			return extensions, nil
		}
	}
}

// command sends line and reads the reply.
func (c *mailClient) command(line string) (reply, error) {
	c.link.arm()
	if err := c.link.write([]byte(line)); err != nil {
		return reply{}, err
	}
	return c.readReply()
}

// readReply reads one reply of any number of lines.
func (c *mailClient) readReply() (reply, error) {
	var r reply
	for {
		line, err := c.link.line()
		if err != nil {
			return r, err
		}
		code := 0
		if len(line) >= 3 {
			for _, b := range line[:3] {
				if b < '0' || b > '9' {
					code = 0
					break
				}
				code = code*10 + int(b-'0')
			}
		}
		if code < 200 || code > 599 || r.code != 0 && code != r.code {
			return r, fmt.Errorf("not a reply: %q", line[:min(len(line), 80)])
		}
		if r.code == 0 {
			r.code = code
			if code >= 400 {
				r.text = string(line)
			}
		}
		if len(line) == 3 || line[3] != '-' {
			return r, nil
		}
	}
}

// send delivers d. It returns an error if the connection is lost or the server broke the protocol;
// the outcomes in d are right in any case.
func (c *mailClient) send(d *delivery) error {
	c.sent++
	c.text = appendMessage(c.text[:0], d.token)
	c.link.arm()
	if c.chunking {
		return c.sendBDAT(d)
	}
	return c.sendDATA(d)
}

// appendEnvelope appends MAIL and all RCPT commands.
func (c *mailClient) appendEnvelope(b []byte, d *delivery) []byte {
	b = c.appendMAIL(b, d)
	for i := range d.recipients {
		b = appendRCPT(b, d.recipients[i])
	}
	return b
}

// appendMAIL appends the MAIL command with the parameters that the server supports.
func (c *mailClient) appendMAIL(b []byte, d *delivery) []byte {
	b = append(append(append(b, "MAIL FROM:<"...), c.from...), '>')
	if c.size {
		b = strconv.AppendInt(append(b, " SIZE="...), int64(len(c.text)), 10)
	}
	if c.eightBit && d.token.awkward {
		b = append(b, " BODY=8BITMIME"...)
	}
	return append(b, "\r\n"...)
}

// appendRCPT appends a RCPT command.
func appendRCPT(b []byte, recipient string) []byte {
	return append(append(append(b, "RCPT TO:<"...), recipient...), ">\r\n"...)
}

// sendDATA sends d with DATA (RFC 5321 section 4.1.1.4): one round trip for the envelope if the
// server pipelines, one for the content.
func (c *mailClient) sendDATA(d *delivery) error {
	var data reply
	var err error
	if c.pipeline {
		c.wire = append(c.appendEnvelope(c.wire[:0], d), "DATA\r\n"...)
		if err = c.link.write(c.wire); err != nil {
			return err
		}
		if err = c.readEnvelope(d); err != nil {
			return err
		}
		data, err = c.readReply()
	} else {
		if err = c.envelopeStepwise(d); err != nil || len(d.accepted) == 0 {
			return err
		}
		data, err = c.command("DATA\r\n")
	}
	if err != nil {
		return err
	}
	if data.code != 354 {
		for _, i := range d.accepted {
			d.set(i, refusal(data, false), "DATA: "+data.text)
		}
		if data.code < 400 {
			return fmt.Errorf("reply %d to DATA", data.code)
		}
		return c.reset(d)
	}
	if len(d.accepted) == 0 {
		// RFC 2920 section 3.1: a pipelined DATA may be let through without a valid
		// recipient; the content is then empty.
		c.wire = append(c.wire[:0], ".\r\n"...)
	} else {
		c.wire = append(appendStuffed(c.wire[:0], c.text), ".\r\n"...)
		for _, i := range d.accepted {
			d.set(i, outcomeUnknown, "no reply after the content")
		}
	}
	c.link.arm()
	if err := c.link.write(c.wire); err != nil {
		return err
	}
	if len(d.accepted) == 0 {
		_, err := c.readReply()
		return err
	}
	return c.readVerdicts(d)
}

// sendBDAT sends the envelope and the whole content as one chunk (RFC 3030), in one round trip if
// the server pipelines.
func (c *mailClient) sendBDAT(d *delivery) error {
	c.wire = c.wire[:0]
	if c.pipeline {
		c.wire = c.appendEnvelope(c.wire, d)
	} else if err := c.envelopeStepwise(d); err != nil || len(d.accepted) == 0 {
		return err
	}
	c.wire = strconv.AppendInt(append(c.wire, "BDAT "...), int64(len(c.text)), 10)
	c.wire = append(append(c.wire, " LAST\r\n"...), c.text...)
	for i := range d.recipients {
		if d.outcomes[i] != outcomeRefused {
			d.set(i, outcomeUnknown, "no reply after the content")
		}
	}
	if err := c.link.write(c.wire); err != nil {
		return err
	}
	if c.pipeline {
		if err := c.readEnvelope(d); err != nil {
			return err
		}
	}
	if len(d.accepted) == 0 {
		if _, err := c.readReply(); err != nil {
			return err
		}
		return c.reset(d)
	}
	return c.readVerdicts(d)
}

// readEnvelope reads the replies to pipelined MAIL and RCPT commands.
func (c *mailClient) readEnvelope(d *delivery) error {
	mail, err := c.readReply()
	if err != nil {
		return err
	}
	for i := range d.recipients {
		rcpt, err := c.readReply()
		if err != nil {
			return err
		}
		switch {
		case !mail.ok():
			d.set(i, refusal(mail, false), "MAIL: "+mail.text)
		case !rcpt.ok():
			d.set(i, refusal(rcpt, false), "RCPT: "+rcpt.text)
		default:
			d.accepted = append(d.accepted, i)
		}
	}
	return nil
}

// envelopeStepwise sends MAIL and each RCPT and waits for every reply.
func (c *mailClient) envelopeStepwise(d *delivery) error {
	c.wire = c.appendMAIL(c.wire[:0], d)
	mail, err := c.command(string(c.wire))
	c.wire = c.wire[:0]
	if err != nil {
		return err
	}
	if !mail.ok() {
		for i := range d.recipients {
			d.set(i, refusal(mail, false), "MAIL: "+mail.text)
		}
		return nil
	}
	for i, to := range d.recipients {
		rcpt, err := c.command(string(appendRCPT(nil, to)))
		if err != nil {
			return err
		}
		if rcpt.ok() {
			d.accepted = append(d.accepted, i)
		} else {
			d.set(i, refusal(rcpt, false), "RCPT: "+rcpt.text)
		}
	}
	if len(d.accepted) == 0 {
		return c.reset(d)
	}
	return nil
}

// readVerdicts reads the replies after the content: one per accepted recipient in LMTP (RFC 2033
// section 4.2), one in SMTP.
func (c *mailClient) readVerdicts(d *delivery) error {
	var r reply
	var err error
	for k, i := range d.accepted {
		if k == 0 || c.protocol == LMTP {
			if r, err = c.readReply(); err != nil {
				return err
			}
		}
		if r.ok() {
			d.set(i, outcomeTaken, "")
		} else {
			d.set(i, refusal(r, true), "content: "+r.text)
		}
	}
	return nil
}

// reset ends a transaction without content. A server that is shutting down has sent 421 and closes;
// then no RSET is sent.
func (c *mailClient) reset(d *delivery) error {
	for _, text := range d.replies {
		if strings.Contains(text, ": 421") {
			return nil
		}
	}
	r, err := c.command("RSET\r\n")
	if err == nil && !r.ok() {
		err = &replyError{"RSET", r.text}
	}
	return err
}

// refusal returns the outcome of a reply other than 2xx. After the content a 4xx may also mean that
// the server does not know the outcome.
func refusal(r reply, afterContent bool) outcome {
	switch {
	case r.code >= 500:
		return outcomeRefused
	case afterContent:
		return outcomeUnknown
	}
	return outcomeUnsent
}

// quit ends the session politely.
func (c *mailClient) quit() {
	c.link.arm()
	if err := c.link.write([]byte("QUIT\r\n")); err == nil {
		c.readReply()
	}
	c.link.closeAfterPeer()
}
