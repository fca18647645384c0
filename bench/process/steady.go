package process

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Steady is a long time of equal rounds, each of which removes what it delivers.
type Steady struct {
	Length time.Duration
	// Every is the time from the begin of a round to the begin of the next round.
	Every time.Duration
}

// State is what a server keeps after a round.
type State struct {
	Octets  int64 // on disk
	Waiting int64 // removed messages whose space is not free yet; -1: not counted
	Skipped int64 // traces of removed messages that a list skips, the median; -1: not counted
}

// Part is a twelfth of a steady time.
type Part struct {
	Until  time.Duration // from the begin, as it was
	Rates  Rates
	State  State // at the end
	Memory int64 // of the server at the end, octets
	Failed int   // rounds with an error, such as a message that was put off
}

// SteadyEvery is the time from round to round of the comparisons.
const SteadyEvery = time.Minute

const (
	steadyParts = 12
	// mostFailed is the largest count of failed rounds in a part.
	mostFailed = 3
	// steadyBound is the largest factor by which the cost of logins may rise.
	steadyBound = 1.5
)

// Validate returns an error if the time is too short for a round in each part.
func (s Steady) Validate() error {
	if s.Length < steadyParts*s.Every {
		return fmt.Errorf("a steady time has %d parts with a round each %v: want at least %v", steadyParts, s.Every, steadyParts*s.Every)
	}
	return nil
}

// MeasureSteady measures a running server. A round that lasts too long delays the following rounds. A few failed rounds
// are counted: a busy machine is no fault.
func MeasureSteady(ctx context.Context, s *Server, set Steady, round func(*Rates) error, look func() (State, error)) ([]Part, error) {
	var parts []Part
	begin := time.Now()
	for n := range steadyParts {
		var p Part
		end := set.Length * time.Duration(n+1) / steadyParts
		for first := true; first || time.Since(begin)+set.Every <= end; first = false {
			next := time.After(set.Every)
			if err := round(&p.Rates); err != nil {
				if p.Failed++; p.Failed > mostFailed || ctx.Err() != nil {
					return parts, err
				}
				Note("a round failed: %v", err)
			}
			select {
			case <-next:
			case <-ctx.Done():
				return parts, context.Cause(ctx)
			}
		}
		var err error
		if p.State, err = look(); err != nil {
			return parts, err
		}
		if p.Memory, err = s.Memory(); err != nil {
			return parts, err
		}
		p.Until = time.Since(begin)
		parts = append(parts, p)
		Note("part %d of %d: %s", n+1, steadyParts, p.row())
	}
	return parts, nil
}

// row returns a row of the table.
func (p *Part) row() string {
	return fmt.Sprintf("| %v | %.0f | %.0f | %.2f | %s | %.0f | %.2f | %s | %d | %d |", p.Until.Round(time.Second), Median(p.Rates.Deliver), Median(p.Rates.Poll),
		Median(p.Rates.Cost.Poll), counted(p.State.Skipped), Median(p.Rates.RETR), float64(p.State.Octets)/1e9, counted(p.State.Waiting), p.Memory>>20, p.Failed)
}

// counted returns a count as text, empty for -1.
func counted(n int64) string {
	if n < 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// WriteSteady prints the parts as a table in Markdown, one row each. The cost of polls in the last part is compared with
// their cost in the first: time of processors depends little on other work on the machine.
func WriteSteady(w io.Writer, parts []Part) error {
	fmt.Fprintln(w, "| until | LMTP deliveries/s | POP3 polls/s | core-milliseconds for each poll | removed messages that a list skips | RETR messages/s | on disk, GB | removed messages that wait | memory of the server, MiB | failed rounds |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, p := range parts {
		fmt.Fprintln(w, p.row())
	}
	if len(parts) > 1 {
		first, last := Median(parts[0].Rates.Cost.Poll), Median(parts[len(parts)-1].Rates.Cost.Poll)
		if first > 0 {
			fmt.Fprintf(w, "\nCost of a poll, last part / first part: %.2f (bound %v).\n", last/first, steadyBound)
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}
