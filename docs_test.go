package popelago_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestArchitectureNamesEveryPackage compares the tree in docs/architecture.md with the packages.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	_, tree, _ := strings.Cut(readFile(t, "docs/architecture.md"), "\n## The tree\n")
	tree, _, ok := strings.Cut(tree, "\n## ")
	if !ok {
		t.Fatal("docs/architecture.md has no section The tree")
	}
	for name := range packages(t) {
		if !strings.Contains(tree, "`"+name+"`") {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9]+)*)`").FindAllStringSubmatch(tree, -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("docs/architecture.md names %s: %v", m[1], err)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	// path is a file or folder of the tree between backquotes. Names in capitals stand for any name.
	path = regexp.MustCompile("`((?:[a-z0-9_-]+/)+[A-Za-z0-9_.-]*[a-z0-9](?:\\.[a-z]+)?)`")
	// foreign is a path outside of the tree.
	foreign = regexp.MustCompile(`^(db|content|spare|etc|var|testdata|docker|testing|popelago-data)/`)
)

// TestDocumentsPointToFiles checks the links of all pages, with their headings, and every path of
// the tree that a page names.
func TestDocumentsPointToFiles(t *testing.T) {
	for _, page := range pages(t) {
		text := readFile(t, page)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			checkLink(t, page, m[1])
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			if foreign.MatchString(m[1]) {
				continue
			}
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
	}
}

// pages returns all pages of documentation.
func pages(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) < 20 {
		t.Fatalf("%d pages", len(all))
	}
	return all
}

var (
	metric  = regexp.MustCompile("`(popelago_[a-z0-9_]+)")
	setting = regexp.MustCompile("`(store|cassandra|pop3s?|smtp|lmtp|delivery|tls|auth|tasks|admin|metrics|log)\\.([a-z0-9_]+)")
	row     = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|")
)

// TestDocumentsNameMetricsAndSettings checks that every metric and every setting that a page names
// exists.
func TestDocumentsNameMetricsAndSettings(t *testing.T) {
	known := map[string]bool{"admin.sock": true} // a file
	for _, m := range row.FindAllStringSubmatch(readFile(t, "docs/metrics.md"), -1) {
		known[m[1]] = true
	}
	for section := range strings.SplitSeq(readFile(t, "docs/configuration.md"), "\n## [") {
		name, rows, _ := strings.Cut(section, "]\n")
		for _, m := range row.FindAllStringSubmatch(rows, -1) {
			known[name+"."+m[1]] = true
		}
	}
	for _, page := range pages(t) {
		text := readFile(t, page)
		for _, m := range metric.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s names the metric %s, which docs/metrics.md does not have", page, m[1])
			}
		}
		for _, m := range setting.FindAllStringSubmatch(text, -1) {
			if key := m[1] + "." + m[2]; !known[key] {
				t.Errorf("%s names the setting %s, which docs/configuration.md does not have", page, key)
			}
		}
	}
}

func checkLink(t *testing.T, page, target string) {
	if strings.Contains(target, "://") {
		return
	}
	file, fragment, _ := strings.Cut(target, "#")
	if file == "" {
		file = page
	} else {
		file = filepath.Join(filepath.Dir(page), file)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("%s links to %s: %v", page, target, err)
		return
	}
	if fragment == "" {
		return
	}
	for _, m := range heading.FindAllStringSubmatch(readFile(t, file), -1) {
		if anchor(m[1]) == fragment {
			return
		}
	}
	t.Errorf("%s links to %s, a heading that does not exist", page, target)
}

// anchor is the fragment of a heading: small letters, hyphens for spaces, no punctuation.
func anchor(heading string) string {
	keep := func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}
	return strings.Map(keep, strings.ToLower(heading))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
