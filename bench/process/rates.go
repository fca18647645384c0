package process

import (
	"fmt"
	"io"
	"slices"
)

// Median returns the middle value, of two the lower; 0 if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}

// Span returns the lowest and the highest value as text.
func Span(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	return fmt.Sprintf("%.0f-%.0f", slices.Min(values), slices.Max(values))
}

// WriteCosts prints a row for each kind of work, as WriteRatios: the core-microseconds of both servers, and the ratio of theirs to
// ours. what names the processes that count.
func WriteCosts(w io.Writer, what string, theirs, ours *Costs) {
	for _, row := range []struct {
		name         string
		theirs, ours []float64
	}{
		{"delivery", theirs.Deliver, ours.Deliver},
		{"poll", theirs.Poll, ours.Poll},
		{"RETR", theirs.RETR, ours.RETR},
	} {
		theirs, ours := inMicroseconds(row.theirs), inMicroseconds(row.ours)
		fmt.Fprintf(w, "core-µs of %s for each %s\t%.0f\t%s\t%.0f\t%s\t%.2f\t\t\n", what, row.name,
			Median(theirs), Span(theirs), Median(ours), Span(ours), Median(theirs)/Median(ours))
	}
}

func inMicroseconds(milliseconds []float64) []float64 {
	values := slices.Clone(milliseconds)
	for i := range values {
		values[i] *= 1000
	}
	return values
}

// Wanted holds the ratios that a comparison should reach; zero: none.
type Wanted struct{ Deliver, Poll, RETR, DELE float64 }

// WriteRatios prints a row for each kind of work of two servers, for package text/tabwriter: the name; the median, and the
// lowest and highest rate of both servers; the ratio of the medians, and the wanted ratio.
func WriteRatios(w io.Writer, theirs, ours *Rates, wanted Wanted) {
	for _, row := range []struct {
		name         string
		theirs, ours []float64
		wanted       float64
	}{
		{"LMTP deliveries/s", theirs.Deliver, ours.Deliver, wanted.Deliver},
		{"POP3 polls/s", theirs.Poll, ours.Poll, wanted.Poll},
		{"RETR messages/s, pipelined", theirs.RETR, ours.RETR, wanted.RETR},
		{"DELE+QUIT messages/s, pipelined", theirs.DELE, ours.DELE, wanted.DELE},
	} {
		want := ""
		if row.wanted > 0 {
			want = fmt.Sprintf("%.1f", row.wanted)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.0f\t%s\t%.2f\t%s\t\n", row.name,
			Median(row.theirs), Span(row.theirs), Median(row.ours), Span(row.ours), Median(row.ours)/Median(row.theirs), want)
	}
}
