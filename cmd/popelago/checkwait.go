package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"popelago/adminclient"
)

// unsureError reports a check that found no problem, but could not judge all messages. The exit
// code is exitUnsure.
type unsureError struct{ text string }

// Error counts the messages and names the moment from which they can be judged.
func (e *unsureError) Error() string { return e.text }

func newUnsureError(check adminclient.Check) *unsureError {
	text := fmt.Sprintf("%d are too young to be judged", check.Young)
	if check.JudgedFrom != nil {
		text += "; all of them can be judged from " + when(roundUp(*check.JudgedFrom))
		if futureIDs(check) {
			text += ": some carry a time that is yet to come, from a clock that was ahead"
		} else {
			text += " (--wait waits for that)"
		}
	}
	return &unsureError{text}
}

// roundUp is the first full second at or after t.
func roundUp(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// maxSkew is the largest difference of the servers' clocks at which deliveries go on.
const maxSkew = 5 * time.Minute

// futureIDs reports whether a check met messages whose ids are later than its end.
func futureIDs(check adminclient.Check) bool {
	window, err := time.ParseDuration(check.Window)
	return err == nil && check.JudgedFrom != nil && check.Ended != nil && check.JudgedFrom.Sub(*check.Ended) > window+maxSkew
}

// checkAgain waits until all messages stored at the start of the first check can be judged, and
// makes another check. Messages too young for the second check arrived later, unless their ids are
// ahead of the clock.
func checkAgain(ctx context.Context, first adminclient.Check, check func() (adminclient.Check, error), w io.Writer) error {
	if first.Young == 0 || first.State != adminclient.CheckDone {
		return checkOutcome(first, false)
	}
	pause, err := untilJudged(first)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d are too young to be judged: the check is repeated at %s\n", first.Young, when(roundUp(first.Ended.Add(pause))))
	wait := time.NewTimer(pause)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return problem("stopped before all could be judged")
	}
	second, err := check()
	if err != nil {
		return err
	}
	return checkOutcome(second, second.Young > 0 && futureIDs(second))
}

// untilJudged returns the time from the end of a check until all messages stored at its start can
// be judged. All moments are of the server's clock.
func untilJudged(check adminclient.Check) (time.Duration, error) {
	window, err := time.ParseDuration(check.Window)
	if err != nil || check.Started == nil || check.Ended == nil {
		return 0, problem("the server does not say when the messages can be judged: it is of an older release")
	}
	from := check.Started.Add(window)
	if check.JudgedFrom != nil && check.JudgedFrom.Before(from) {
		from = *check.JudgedFrom
	}
	return max(from.Sub(*check.Ended), 0) + time.Millisecond, nil
}
