package wire

import (
	"errors"
	"time"
)

// textClock measures the time and the octets of a text. A text may arrive in several chunks, with
// commands between the chunks.
type textClock struct {
	since  time.Time // zero: no text is in progress
	octets int64     // received
	useful int64     // of octets, at the last Progressed
}

// textProgress is the count of octets of a text that are progress, see Config.DropKnownAfter.
const textProgress = 1 << 20

// countText counts received octets of the text.
func (c *Conn) countText(octets int64) {
	c.text.octets += octets
	if c.text.octets-c.text.useful >= textProgress {
		c.text.useful = c.text.octets
		c.Progressed()
	}
}

// begin starts the clock, unless the clock runs.
func (t *textClock) begin() {
	if t.since.IsZero() {
		*t = textClock{since: time.Now()}
	}
}

// deadline is the moment from which the text is too slow, unless more octets arrive: BodyTimeout,
// and the time that MinBodyRate allows for the octets received so far. Zero: no limit.
func (t *textClock) deadline(cfg *Config) time.Time {
	if t.since.IsZero() || cfg.MinBodyRate <= 0 {
		return time.Time{}
	}
	seconds := float64(t.octets) / float64(cfg.MinBodyRate)
	return t.since.Add(cfg.BodyTimeout + time.Duration(seconds*float64(time.Second)))
}

// EndText ends the text that NewDotReader or NewBodyReader began. Until then further chunks belong
// to the text, and so does the time between chunks: Config.MinBodyRate is the average of the whole
// text.
func (c *Conn) EndText() { c.text = textClock{} }

// earliest is deadline, or an earlier limit of the connection as a whole.
func (c *Conn) earliest(deadline time.Time) time.Time {
	for _, limit := range []time.Time{c.loginBy, c.text.deadline(c.cfg)} {
		if !limit.IsZero() && limit.Before(deadline) {
			deadline = limit
		}
	}
	return deadline
}

// countTimeout counts err if err is a timeout caused by a limit of the connection as a whole. It
// returns err.
func (c *Conn) countTimeout(err error) error {
	if !errors.Is(err, ErrTimeout) {
		return err
	}
	now := time.Now()
	passed := func(limit time.Time) bool { return !limit.IsZero() && !now.Before(limit) }
	switch {
	case passed(c.loginBy):
		c.cfg.Metrics.dropped.WithLabelValues(c.cfg.Protocol, "login_timeout").Inc()
	case passed(c.text.deadline(c.cfg)):
		c.cfg.Metrics.dropped.WithLabelValues(c.cfg.Protocol, "slow_text").Inc()
	}
	return err
}
