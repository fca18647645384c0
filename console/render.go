package console

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// files holds the templates, the style sheet and the scripts.
//
//go:embed templates static
var files embed.FS

// assets serves the style sheet and the scripts, below static/.
func assets() http.Handler {
	serve := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") { // no lists of files
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
}

// page is a template of a page in its layout.
type page = *template.Template

// parsePages parses the pages in a folder of templates, by name without ending. The pages share the files
// of templates itself: layout.html and parts.html.
func parsePages(folder string) (map[string]page, error) {
	base, err := template.New("base").Funcs(functions).ParseFS(files, "templates/*.html", "templates/"+folder+"/nav.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	names, err := fs.Glob(files, "templates/"+folder+"/*.html")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	pages := map[string]page{}
	for _, name := range append(names, "templates/problem.html") {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, name)
		}
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		pages[strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".html")] = t
	}
	return pages, nil
}

// functions are the functions of the templates.
var functions = template.FuncMap{
	"octets":  octetsOf,
	"moment":  momentOf,
	"machine": machineTime,
	"dict":    dict,
	"list":    func(all ...string) []string { return all },
	"join":    strings.Join,
	"ahead":   aheadOf,
	"span":    spanOf,
	"total": func(counts map[string]int) (n int) {
		for _, c := range counts {
			n += c
		}
		return n
	},
	"bound": func(percent int) int { return min(max(percent, 0), 100) },
}

// octetsOf formats a number of octets, an integer or a pointer to one, with three digits: 1.42 MiB. Nil is
// "unknown".
func octetsOf(v any) string {
	switch n := v.(type) {
	case int64:
		return shortOctets(n)
	case *int64:
		if n != nil {
			return shortOctets(*n)
		}
	}
	return "unknown"
}

func shortOctets(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if value /= 1 << 10; value < 1000 {
			break
		}
	}
	return fmt.Sprintf("%.3g %s", value, unit)
}

// momentOf formats a time or a pointer to one, in UTC: 2026-11-26 20:15:04. Nil is empty.
func momentOf(v any) string { return formatTime(v, "2006-01-02 15:04:05") }

// machineTime formats a time for the attribute datetime.
func machineTime(v any) string { return formatTime(v, time.RFC3339) }

func formatTime(v any, layout string) string {
	switch t := v.(type) {
	case time.Time:
		if !t.IsZero() {
			return t.UTC().Format(layout)
		}
	case *time.Time:
		if t != nil {
			return t.UTC().Format(layout)
		}
	}
	return ""
}

// spanOf formats a duration of package time in one unit: 168h0m0s is "7 days", 15m0s is "15 minutes". Other
// texts stay.
func spanOf(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return text
	}
	for _, unit := range []struct {
		name string
		time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := d / unit.Duration; {
		case d%unit.Duration != 0 || n == 1 && unit.name == "day": // 24 hours
		case n == 1:
			return "1 " + unit.name
		default:
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	return text
}

// aheadOf formats the difference of a clock, in seconds.
func aheadOf(seconds *float64) string {
	if seconds == nil {
		return ""
	}
	return fmt.Sprintf("%+.1f s", *seconds)
}

// dict makes a map of names and values, for templates that take more than one value.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("console: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
