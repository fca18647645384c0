package mailtest

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// description matches the text of a prometheus.Desc: name, help, constant and variable labels.
var description = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), .*constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)

// constant matches a constant label of a description.
var constant = regexp.MustCompile(`([a-zA-Z_]+)="(?:[^"\\]|\\.)*"`)

// GoldenMetrics compares the metrics of a registry with a page that has a section "## PACKAGE" for
// the metrics popelago_PACKAGE_*. With -rewrite it writes the sections of the registry into the page,
// and keeps the rest. It returns the other sections of the page. A metric with labels needs a sample
// or the end _total: otherwise its type is unknown.
func GoldenMetrics(t testing.TB, file string, reg *prometheus.Registry) (others []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "\n## ")
	sections := map[string]string{}
	for section := range strings.SplitSeq(rest, "\n## ") {
		name, body, _ := strings.Cut(section, "\n")
		sections[name] = body
	}
	tables := metricTables(t, reg)
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if _, ours := tables[name]; !ours && name != "" {
			others = append(others, name)
		}
	}
	maps.Copy(sections, tables)
	page := strings.TrimSpace(head) + "\n"
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		if name != "" {
			page += "\n## " + name + "\n\n" + strings.TrimSpace(sections[name]) + "\n"
		}
	}
	Golden(t, file, page)
	return others
}

// metricTables returns a table of metrics for each package. Metrics of other origin are left out.
func metricTables(t testing.TB, reg *prometheus.Registry) map[string]string {
	t.Helper()
	rows := map[string][]string{}
	types := metricTypes(t, reg)
	for _, d := range descriptions(reg) {
		m := description.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("an unknown form of description: %s", d)
		}
		name, help := unquote(t, m[1]), unquote(t, m[2])
		parts := strings.SplitN(name, "_", 3)
		if parts[0] != "popelago" || len(parts) < 3 {
			continue
		}
		kind := types[name]
		if kind == "" && strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		if kind == "" {
			t.Errorf("%s has no sample, so its type is unknown", name)
		}
		var names []string
		for _, c := range constant.FindAllStringSubmatch(m[3], -1) {
			names = append(names, c[1])
		}
		if m[4] != "" {
			names = append(names, strings.Split(m[4], ",")...)
		}
		labels := ""
		if len(names) > 0 {
			labels = "`" + strings.Join(names, "`, `") + "`"
		}
		rows[parts[1]] = append(rows[parts[1]], fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, labels, help))
	}
	tables := map[string]string{}
	for section, lines := range rows {
		slices.Sort(lines)
		lines = slices.Compact(lines) // objects with different constant labels
		tables[section] = "| metric | type | labels | meaning |\n|---|---|---|---|\n" + strings.Join(lines, "")
	}
	return tables
}

func descriptions(reg *prometheus.Registry) (all []*prometheus.Desc) {
	found := make(chan *prometheus.Desc)
	go func() {
		reg.Describe(found)
		close(found)
	}()
	for d := range found {
		all = append(all, d)
	}
	return all
}

// metricTypes returns the types of the metrics with samples, in small letters.
func metricTypes(t testing.TB, reg *prometheus.Registry) map[string]string {
	t.Helper()
	gathered, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, family := range gathered {
		types[family.GetName()] = strings.ToLower(family.GetType().String())
	}
	return types
}

func unquote(t testing.TB, text string) string {
	t.Helper()
	s, err := strconv.Unquote(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
