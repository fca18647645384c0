package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"popelago/bench/process"
)

// bound is the largest factor by which the full store may be slower than the empty store.
const bound = 1.3

// write prints the table, in Markdown.
func write(w io.Writer, s settings, all []measured) error {
	head, line := "| stored messages |", "|---|"
	for _, m := range all {
		head += fmt.Sprintf(" %d |", m.messages)
		line += "---|"
	}
	fmt.Fprintf(w, "%s empty / full | bound |\n%s---|---|\n", head, line)
	row := func(name, format string, wanted string, of func(measured) float64) {
		fmt.Fprintf(w, "| %s |", name)
		for _, m := range all {
			fmt.Fprintf(w, " "+format+" |", of(m))
		}
		ratio := ""
		if full := of(all[len(all)-1]); wanted != "" && full > 0 {
			ratio = fmt.Sprintf("%.2f", of(all[0])/full)
		}
		fmt.Fprintf(w, " %s | %s |\n", ratio, wanted)
	}
	most := fmt.Sprintf("%.1f", bound)
	for _, r := range []struct {
		name  string
		rates func(process.Rates) []float64
	}{
		{"LMTP deliveries/s", func(r process.Rates) []float64 { return r.Deliver }},
		{"POP3 polls/s", func(r process.Rates) []float64 { return r.Poll }},
		{"RETR messages/s, pipelined", func(r process.Rates) []float64 { return r.RETR }},
		{"DELE+QUIT messages/s, pipelined", func(r process.Rates) []float64 { return r.DELE }},
	} {
		row(r.name, "%.0f", most, func(m measured) float64 { return process.Median(r.rates(m.rates)) })
	}
	row("start, ms", "%.0f", "", func(m measured) float64 { return float64(m.start / time.Millisecond) })
	row("data folder, GB", "%.2f", "", func(m measured) float64 { return float64(m.folder) / 1e9 })
	row("memory after the rounds, MiB", "%.0f", "", func(m measured) float64 { return float64(m.memory) / (1 << 20) })
	var warm []string
	for _, m := range all {
		if !m.cold {
			warm = append(warm, fmt.Sprint(m.messages))
		}
	}
	if len(warm) > 0 {
		fmt.Fprintf(w, "\nThe page cache could not be dropped before the start with %s messages.\n", strings.Join(warm, ", "))
	}
	_, err := fmt.Fprintf(w, "\nMedians of %d rounds, %d messages of %d octets a round, %d users, %d connections.\n", s.rounds, s.round.Messages, size, users, connections)
	return err
}
