package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Load returns the defaults, overwritten by a configuration file (none if file is empty) and then by
// environ, in the form of os.Environ. Load checks the settings, except for an address to listen on,
// which flags may add and Validate requires. An *Error lists all problems at once; a file that is not
// TOML ends with its first mistake.
func Load(file string, environ []string) (Config, error) {
	c := Default()
	if file == "" {
		return c, c.check(c.readEnv(environ))
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	problems, err := c.readTOML(file, data)
	if err != nil {
		return Config{}, err
	}
	problems = append(problems, c.readEnv(environ)...)
	c.resolvePaths(filepath.Dir(file))
	if err := c.check(problems); err != nil {
		return Config{}, err
	}
	return c, nil
}

// ApplyEnv overwrites settings with the settings in environ, in the form of os.Environ. ApplyEnv
// checks the settings one by one; Validate checks them together.
func (c *Config) ApplyEnv(environ []string) error {
	return errorOf(c.readEnv(environ))
}

// Set overwrites one setting, named by its key such as "pop3.listen", with the text of a flag; where
// names the flag in errors. Set checks the setting alone; Validate checks all together.
func (c *Config) Set(key, text, where string) error {
	s, ok := byKey(c)[key]
	if !ok {
		return fmt.Errorf("config: there is no setting %s", key)
	}
	if err := s.value.parse(text); err != nil {
		return errorOf([]Problem{{Where: where, Key: key, Text: err.Error()}})
	}
	c.setOrigin(key, where)
	return nil
}

// readTOML overwrites settings with the settings of a file. The error is for a text that is not TOML.
func (c *Config) readTOML(file string, data []byte) ([]Problem, error) {
	data, err := plainText(file, data)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := toml.Unmarshal(data, &doc); err != nil {
		p := Problem{Where: file, Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, column := at.Position()
			p.Where = fmt.Sprintf("%s:%d:%d", file, line, column)
			p.Text = cmp.Or(quotesInLine(data, line), strangeCharacter(data, line, column), p.Text)
		}
		return nil, &Error{Problems: []Problem{p}}
	}
	c.file = file
	lines := keyLines(data)
	table := byKey(c)
	var problems []Problem
	for key, v := range flatten(doc, table) {
		line := lines[key]
		where := fmt.Sprintf("%s:%d", file, line)
		problem := func(text string) {
			problems = append(problems, Problem{Where: where, Key: key, Text: text, file: file, line: line})
		}
		s, ok := table[key]
		if !ok && isSection(key) {
			problem(fmt.Sprintf("is a section: begin it with a line [%s]", key))
			continue
		}
		if !ok {
			problem(unknownKey(key, slices.Collect(maps.Keys(table))))
			continue
		}
		if err := s.value.set(v); err != nil {
			problem(err.Error())
			continue
		}
		c.setOrigin(key, where)
	}
	return problems, nil
}

// readEnv overwrites settings with the settings of the environment.
func (c *Config) readEnv(environ []string) []Problem {
	table := map[string]setting{}
	for _, s := range settings(c) {
		table[envName(s.key)] = s
	}
	var problems []Problem
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, v, ok := strings.Cut(pair, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) || name == envBenchPassword {
			continue
		}
		s, ok := table[name]
		if !ok {
			problems = append(problems, Problem{Where: name, Text: unknownVariable(name, slices.Collect(maps.Keys(table)))})
			continue
		}
		if err := s.value.parse(v); err != nil {
			problems = append(problems, Problem{Where: name, Key: s.key, Text: err.Error()})
			continue
		}
		c.setOrigin(s.key, name)
	}
	return problems
}

const (
	envPrefix = "POPELAGO_"
	// envBenchPassword is read by the load generator.
	envBenchPassword = "POPELAGO_BENCH_PASSWORD"
)

// envName returns the variable that overrides a setting.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (c *Config) setOrigin(key, where string) {
	if c.origins == nil {
		c.origins = map[string]string{}
	}
	c.origins[key] = where
}

// resolvePaths makes relative paths relative to dir, except for paths from the environment. A relative
// path may begin with ~ or $ only on purpose, as in "./~".
func (c *Config) resolvePaths(dir string) {
	for _, s := range settings(c) {
		w, ok := s.value.(*word)
		if !ok || !w.isPath || *w.p == "" || filepath.IsAbs(*w.p) || c.origins[s.key] == envName(s.key) {
			continue
		}
		*w.p = filepath.Join(dir, *w.p)
		if forShell(*w.p) {
			*w.p = "." + string(filepath.Separator) + *w.p
		}
	}
}

func byKey(c *Config) map[string]setting {
	table := map[string]setting{}
	for _, s := range settings(c) {
		table[s.key] = s
	}
	return table
}

// flatten names every value of a document by its dotted key. A table in the place of a
// setting, and an empty table that is not a section, count as values.
func flatten(doc map[string]any, table map[string]setting) map[string]any {
	flat := map[string]any{}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for name, v := range m {
			key := joinKey(prefix, name)
			inner, isTable := v.(map[string]any)
			_, isSetting := table[key]
			if isTable && !isSetting && (len(inner) > 0 || isSection(key)) {
				walk(key, inner)
				continue
			}
			flat[key] = v
		}
	}
	walk("", doc)
	return flat
}

func isSection(key string) bool {
	return slices.ContainsFunc(sections(), func(s section) bool { return s.name == key })
}

// joinKey adds a name to a dotted key, in quotes if the name contains a dot.
func joinKey(prefix, name string) string {
	if name == "" || strings.ContainsAny(name, ".\"\n\r") {
		name = quote(name)
	}
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}
