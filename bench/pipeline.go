package bench

import (
	"context"
	"strconv"
	"time"
)

// pipeline sends "VERB number SUFFIX" for the messages first to last, at most window ahead of their
// responses, and calls take to read each response; sent is the time of the command. It stops at the
// first error, and when ctx ends.
func (c *popClient) pipeline(ctx context.Context, verb, suffix string, first, last, window int, take func(number int, sent time.Time) error) error {
	window = min(max(window, 1), maxWindow)
	n := last - first + 1
	// After half of the window is answered, the same number of new commands goes out in one write.
	sentAt := make([]time.Time, min(window, n))
	sent := 0
	for number := 1; number <= n; number++ {
		if outstanding := sent - (number - 1); sent < n && outstanding <= window/2 {
			if err := ctx.Err(); err != nil {
				return err
			}
			now := time.Now()
			c.wire = c.wire[:0]
			for ; sent < n && sent-(number-1) < window; sent++ {
				c.wire = append(append(c.wire, verb...), ' ')
				c.wire = strconv.AppendInt(c.wire, int64(first+sent), 10)
				c.wire = append(append(c.wire, suffix...), "\r\n"...)
				sentAt[sent%len(sentAt)] = now
			}
			c.link.arm()
			if err := c.link.write(c.wire); err != nil {
				return err
			}
		}
		if err := take(first+number-1, sentAt[(number-1)%len(sentAt)]); err != nil {
			return err
		}
	}
	return nil
}
