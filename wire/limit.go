package wire

import "time"

// textClock is how long a text has been on its way, and how much has come. A text may come in
// several chunks, with commands between them.
type textClock struct {
	since  time.Time // zero: no text is on its way
	octets int64
}

// begin starts the clock, unless it runs.
func (t *textClock) begin() {
	if t.since.IsZero() {
		*t = textClock{since: time.Now()}
	}
}

// by is when the text is too slow, unless more of it comes: BodyTimeout, and the time that
// MinBodyRate gives for what has come so far. Zero: no limit.
func (t *textClock) by(cfg *Config) time.Time {
	if t.since.IsZero() || cfg.MinBodyRate <= 0 {
		return time.Time{}
	}
	seconds := float64(t.octets) / float64(cfg.MinBodyRate)
	return t.since.Add(cfg.BodyTimeout + time.Duration(seconds*float64(time.Second)))
}

// EndText says that the text that NewDotReader or NewBodyReader began to read is over, or given
// up. Until then further chunks belong to it, and so does the time between them:
// Config.MinBodyRate counts for all of it.
func (c *Conn) EndText() { c.text = textClock{} }

// within is deadline, or an earlier limit of the connection as a whole.
func (c *Conn) within(deadline time.Time) time.Time {
	for _, limit := range []time.Time{c.knownBy, c.text.by(c.cfg)} {
		if !limit.IsZero() && limit.Before(deadline) {
			deadline = limit
		}
	}
	return deadline
}

// late counts a timeout that a limit of the connection as a whole has caused, and hands on err.
func (c *Conn) late(err error) error {
	if err != ErrTimeout {
		return err
	}
	now := time.Now()
	passed := func(limit time.Time) bool { return !limit.IsZero() && !now.Before(limit) }
	switch {
	case passed(c.knownBy):
		c.cfg.Metrics.dropped.WithLabelValues(c.cfg.Protocol, "login_timeout").Inc()
	case passed(c.text.by(c.cfg)):
		c.cfg.Metrics.dropped.WithLabelValues(c.cfg.Protocol, "slow_text").Inc()
	}
	return err
}
