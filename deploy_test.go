package popelago_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metricInfo describes a metric of docs/metrics.md, which tests of both engines compare with their registries.
type metricInfo struct {
	labels []string
	help   string
}

var metricRow = regexp.MustCompile("(?m)^\\| `(popelago_[a-z0-9_]+)` \\| ([a-z]+) \\| (.*?) \\| (.*) \\|$")

// scraped returns the metrics that Prometheus gets from a server, by the name of the sample.
func scraped(t *testing.T) map[string]metricInfo {
	t.Helper()
	known := map[string]metricInfo{"up": {labels: []string{"job"}}}
	for _, m := range metricRow.FindAllStringSubmatch(readFile(t, "docs/metrics.md"), -1) {
		info := metricInfo{help: m[4]}
		for _, label := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(m[3], -1) {
			info.labels = append(info.labels, label[1])
		}
		if m[2] == "histogram" {
			known[m[1]+"_sum"], known[m[1]+"_count"] = info, info
			info.labels = append(slices.Clone(info.labels), "le")
			known[m[1]+"_bucket"] = info
			continue
		}
		known[m[1]] = info
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		known[f.GetName()] = metricInfo{labels: []string{"job"}}
	}
	return known
}

var (
	sample  = regexp.MustCompile(`\b((?:popelago|process|go)_[a-z0-9_]+|up)\b(\{[^}]*\})?`)
	matcher = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	by      = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right) \(([^)]*)\)`)
)

// checkExpression checks that the metrics of an expression exist, with every label, and that the text of the
// metric names every value of a label. It returns the labels that the result may have.
func checkExpression(t *testing.T, known map[string]metricInfo, where, expr string) (labels []string) {
	t.Helper()
	labels = []string{"instance"}
	found := sample.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	for _, m := range found {
		info, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: the metric %s does not exist", where, m[1])
			continue
		}
		labels = append(labels, info.labels...)
		for _, match := range matcher.FindAllStringSubmatch(m[2], -1) {
			label, value := match[1], match[3]
			if label == "instance" {
				continue
			}
			if !slices.Contains(info.labels, label) {
				t.Errorf("%s: %s has no label %s", where, m[1], label)
			}
			for word := range strings.SplitSeq(value, "|") {
				if label != "job" && !strings.HasPrefix(value, "$") && !regexp.MustCompile(`(^|[^a-zA-Z_])`+regexp.QuoteMeta(word)+`([^a-zA-Z_]|$)`).MatchString(info.help) {
					t.Errorf("%s: the text of %s names no value %q of %s", where, m[1], word, label)
				}
			}
		}
	}
	for _, m := range by.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
				t.Errorf("%s: no metric of %s has the label %s", where, expr, label)
			}
		}
	}
	return labels
}

var rule = regexp.MustCompile(`(?m)^      - alert: (\w+)
        expr: '(.*)'
        for: \w+
        labels: \{severity: (\w+)\}
        annotations:
          summary: '(.*)'
          runbook: '(.*)'$`)

// TestAlerts checks the alerts for Prometheus: metrics and labels exist, and each alert names a section of the
// documentation and has a case in which the alert fires and a case in which it is silent.
func TestAlerts(t *testing.T) {
	known := scraped(t)
	text, cases := readFile(t, "deploy/alerts.yaml"), readFile(t, "deploy/alerts_test.yaml")
	rules := rule.FindAllStringSubmatch(text, -1)
	if n := strings.Count(text, "- alert:"); n < 20 || n != len(rules) {
		t.Fatalf("%d alerts, of which %d have the usual form", n, len(rules))
	}
	for _, m := range rules {
		name, expr, severity, summary, runbook := m[1], m[2], m[3], m[4], m[5]
		labels := checkExpression(t, known, name, expr)
		for _, used := range regexp.MustCompile(`\$labels\.([a-z_]+)`).FindAllStringSubmatch(summary, -1) {
			if !slices.Contains(labels, used[1]) {
				t.Errorf("%s: the summary has the label %s, the expression has not", name, used[1])
			}
		}
		if severity != "page" && severity != "ticket" {
			t.Errorf("%s: severity %s", name, severity)
		}
		if !strings.HasPrefix(runbook, "docs/") || !strings.Contains(runbook, "#") {
			t.Errorf("%s: the runbook %q names no section", name, runbook)
		}
		checkLink(t, "README.md", runbook)
		fires := regexp.MustCompile(`alertname: `+name+`\n        exp_alerts:\n`).FindAllString(cases, -1)
		silent := regexp.MustCompile(`alertname: `+name+`\n        exp_alerts: \[\]\n`).FindAllString(cases, -1)
		if len(fires) == 0 || len(silent) == 0 {
			t.Errorf("%s: %d cases in which the alert fires, %d in which it is silent", name, len(fires), len(silent))
		}
	}
}

// TestAlertsFire lets Prometheus check the alerts, and run the cases of deploy/alerts_test.yaml.
func TestAlertsFire(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		const why = "promtool is not installed: apt-get install --no-install-recommends prometheus"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	for _, args := range [][]string{{"check", "rules", "deploy/alerts.yaml"}, {"test", "rules", "deploy/alerts_test.yaml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// dashboard is the part of a Grafana dashboard that names metrics.
type dashboard struct {
	Templating struct {
		List []struct{ Name, Definition string }
	}
	Panels []struct {
		ID      int
		Type    string
		Title   string
		Targets []struct{ Expr, LegendFormat string }
		GridPos struct{ X, Y, W, H int }
	}
}

// TestDashboard checks the Grafana dashboard: metrics and labels exist, every panel is about the chosen
// servers, and no panel covers another panel.
func TestDashboard(t *testing.T) {
	known := scraped(t)
	var d dashboard
	if err := json.Unmarshal([]byte(readFile(t, "deploy/grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
		if v.Definition == "" {
			continue
		}
		query, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Definition, "label_values("), ")"), ", ")
		if labels := checkExpression(t, known, "variable "+v.Name, query); !ok || !slices.Contains(labels, label) {
			t.Errorf("the variable %s: %s", v.Name, v.Definition)
		}
	}
	if !slices.Equal(variables, []string{"source", "datacenter", "server"}) {
		t.Errorf("variables %v", variables)
	}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, covered := taken[[2]int{x, y}]; covered {
					t.Fatalf("the panel %q covers %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			labels := checkExpression(t, known, p.Title, target.Expr)
			for _, used := range regexp.MustCompile(`\{\{([a-z_]+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(labels, used[1]) {
					t.Errorf("%s: the legend has the label %s, the expression has not", p.Title, used[1])
				}
			}
			for _, m := range sample.FindAllStringSubmatch(target.Expr, -1) {
				if !strings.Contains(m[2], `instance=~"$server"`) {
					t.Errorf("%s: %s is not about the chosen servers", p.Title, m[1])
				}
			}
		}
	}
}
