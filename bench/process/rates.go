package process

import (
	"fmt"
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
