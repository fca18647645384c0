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
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 20 {
		t.Fatalf("%d pages", len(pages))
	}
	for _, page := range pages {
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
