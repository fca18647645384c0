package config

// Value is a setting in force.
type Value struct {
	// Key is section.name, or name before the first section.
	Key string
	// Text and Default are in the form of a TOML file.
	Text, Default string
	// Origin is file:line, the name of a variable or of a flag; empty: the default.
	Origin string
}

// Values returns all settings, in the order of the reference. No setting holds a secret: secrets are in
// files, and the settings name the files.
func (c *Config) Values() []Value {
	def := Default()
	defaults := settings(&def)
	table := settings(c)
	values := make([]Value, len(table))
	for i, s := range table {
		values[i] = Value{Key: s.key, Text: s.value.literal(), Default: defaults[i].value.literal(), Origin: c.origins[s.key]}
	}
	return values
}

// Differences returns the keys of the settings that differ between two configurations.
func Differences(one, other *Config) []string {
	a, b := settings(one), settings(other)
	var keys []string
	for i, s := range a {
		if s.value.literal() != b[i].value.literal() {
			keys = append(keys, s.key)
		}
	}
	return keys
}

// Adopt takes the setting named by key, with its origin, from another configuration; copy copies the
// field.
func (c *Config) Adopt(from *Config, key string, copy func(to, from *Config)) {
	copy(c, from)
	if origin, ok := from.origins[key]; ok {
		c.setOrigin(key, origin)
	} else {
		delete(c.origins, key)
	}
}

// Clone returns a copy whose settings can be changed apart.
func (c *Config) Clone() Config {
	out := *c
	out.origins = nil
	for key, origin := range c.origins {
		out.setOrigin(key, origin)
	}
	return out
}
