package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
)

// directoryFile is the file of export and apply:
//
//	[domains."example.org".settings]
//	retention = "90d"
//
//	[domains."example.org".accounts]
//	"alice" = {quota = "2GiB"}
//	"bob" = {state = "disabled"}
//
//	[domains."example.org".aliases]
//	"sales" = "alice@example.org" # or a list, for an alias as two datacenters may leave it
//
//	[domains."example.org".groups]
//	"team" = ["alice@example.org", "bob@example.org"]
type directoryFile struct {
	Domains map[string]domainFile `toml:"domains"`
}

// domainFile is a domain of a directoryFile. Keys are local-parts, see keyOf.
type domainFile struct {
	Settings map[string]string            `toml:"settings"`
	Accounts map[string]map[string]string `toml:"accounts"` // settings, and keyState
	Aliases  aliasTable                   `toml:"aliases"`
	Groups   map[string][]string          `toml:"groups"`
	// withoutAccounts: the file has no table for the accounts of the domain, not even an empty table.
	withoutAccounts bool
}

// aliasTable holds the targets of aliases: in a file a text, or a list of texts; in canonical form a []string, in
// order.
type aliasTable map[string]any

// targets returns the targets of an alias in canonical form.
func (t aliasTable) targets(local string) []string {
	list, _ := t[local].([]string)
	return list
}

// targetsIn returns the targets of an alias in a file.
func targetsIn(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		return []string{v}, nil
	case []any:
		list := make([]string, len(v))
		for i, one := range v {
			text, ok := one.(string)
			if !ok {
				return nil, errors.New("a target is an address in quotes")
			}
			list[i] = text
		}
		return list, nil
	}
	return nil, errors.New("the target is an address in quotes, or a list of addresses")
}

// keyState is the key of an account for its state.
const keyState = "state"

// readDirectoryFile reads a file, and brings names and values into their canonical forms. The texts of errors
// name the place.
func readDirectoryFile(text []byte) (directoryFile, error) {
	var raw directoryFile
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	decoder := toml.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return raw, explainTOML(err)
	}
	// The parser leaves the map of an empty table nil, as without the table.
	var tables struct {
		Domains map[string]map[string]any `toml:"domains"`
	}
	if err := toml.Unmarshal(text, &tables); err != nil {
		return raw, explainTOML(err)
	}
	out := directoryFile{Domains: map[string]domainFile{}}
	for name, d := range raw.Domains {
		_, has := tables.Domains[name]["accounts"]
		d.withoutAccounts = !has
		canonical, err := mail.CanonicalDomain(name)
		if err != nil {
			return out, err
		}
		if _, twice := out.Domains[canonical]; twice {
			return out, fmt.Errorf("domain %s is there twice", canonical)
		}
		if out.Domains[canonical], err = d.canonical(canonical); err != nil {
			return out, fmt.Errorf("domain %s: %w", canonical, err)
		}
	}
	return out, nil
}

// explainTOML adds the place to an error of the parser.
func explainTOML(err error) error {
	var at *toml.DecodeError
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %s; a domain has settings, accounts, aliases and groups", row, quoted(strings.Join(strict.Errors[0].Key(), ".")))
	case errors.As(err, &at):
		row, column := at.Position()
		if strings.Contains(at.Error(), "cannot decode") { // the parser names types of Go
			return fmt.Errorf("line %d, column %d: the value has the wrong form: a setting is a text in quotes, an account a table such as {quota = \"2GiB\"} or {}, the members of a group are a list of texts", row, column)
		}
		return fmt.Errorf("line %d, column %d: %w", row, column, err)
	}
	return err
}

func (d domainFile) canonical(domain string) (domainFile, error) {
	out := domainFile{
		Accounts: map[string]map[string]string{}, Aliases: aliasTable{}, Groups: map[string][]string{}, withoutAccounts: d.withoutAccounts,
	}
	var err error
	if out.Settings, err = canonicalSettings(d.Settings, func(s account.Setting) bool { return s.Domain }); err != nil {
		return out, err
	}
	kinds := map[string]string{}
	local := func(kind, key string) (string, error) {
		a, err := addressOf(key, domain)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", kind, quoted(key), err)
		}
		name := a.Canonical().Local
		if before := kinds[name]; before != "" {
			return "", fmt.Errorf("%s is there twice: %s and %s", a.Canonical(), before, kind)
		}
		kinds[name] = kind
		return name, nil
	}
	for key, settings := range d.Accounts {
		name, err := local("account", key)
		if err != nil {
			return out, err
		}
		if out.Accounts[name], err = canonicalAccount(settings); err != nil {
			return out, fmt.Errorf("account %s: %w", quoted(name), err)
		}
	}
	for key, value := range d.Aliases {
		name, err := local("alias", key)
		if err != nil {
			return out, err
		}
		targets, err := targetsIn(value)
		if err == nil {
			targets, err = canonicalAddresses(targets)
		}
		if err != nil {
			return out, fmt.Errorf("alias %s: %w", quoted(name), err)
		}
		out.Aliases[name] = targets
	}
	for key, members := range d.Groups {
		name, err := local("group", key)
		if err != nil {
			return out, err
		}
		if out.Groups[name], err = canonicalAddresses(members); err != nil {
			return out, fmt.Errorf("group %s: %w", quoted(name), err)
		}
	}
	return out, nil
}

// addressOf returns the address of a key: a local-part, in the quotes of RFC 5321 if it has an @. A key with an @
// but without these quotes is a whole address by mistake.
func addressOf(key, domain string) (mail.Address, error) {
	if strings.HasPrefix(key, `"`) {
		a, err := mail.ParseNewAddress(key + "@" + domain)
		return a, cmp.Or(err, a.Validate())
	}
	if local, _, whole := strings.Cut(key, "@"); whole {
		return mail.Address{}, fmt.Errorf("name the part before the @ alone, such as %s", quoted(local))
	}
	a := mail.Address{Local: key, Domain: domain}
	return a, a.Validate()
}

// keyOf returns the key of a local-part, see addressOf.
func keyOf(local, domain string) string {
	if strings.ContainsAny(local, `@"`) {
		return strings.TrimSuffix(mail.Address{Local: local, Domain: domain}.PathString(), "@"+domain)
	}
	return local
}

func canonicalAccount(settings map[string]string) (map[string]string, error) {
	others := maps.Clone(settings)
	state, has := settings[keyState]
	delete(others, keyState)
	if has && state != adminclient.Enabled && state != adminclient.Disabled {
		return nil, fmt.Errorf("%s is not a state: %s or %s", quoted(state), adminclient.Enabled, adminclient.Disabled)
	}
	out, err := canonicalSettings(others, func(s account.Setting) bool { return s.Account })
	if has && err == nil {
		out[keyState] = state
	}
	return out, err
}

// canonicalSettings brings values into the form of the server. A setting to be removed has an empty text.
func canonicalSettings(texts map[string]string, belongs func(account.Setting) bool) (map[string]string, error) {
	out := map[string]string{}
	settings := account.Settings()
	for name, text := range texts {
		i := slices.IndexFunc(settings, func(s account.Setting) bool { return s.Name == name && belongs(s) })
		if i < 0 {
			return nil, fmt.Errorf("%s is no setting here", quoted(name))
		}
		if out[name] = ""; text == "" || text == "none" {
			continue
		}
		var p account.Policy
		if err := settings[i].Read(&p, text); err != nil {
			return nil, err
		}
		out[name] = settings[i].Show(p)
	}
	return out, nil
}

// canonicalAddresses returns addresses in canonical form, in order, each once.
func canonicalAddresses(texts []string) ([]string, error) {
	list := make([]string, len(texts))
	for i, text := range texts {
		a, err := mail.ParseAddress(text)
		if err != nil {
			return nil, err
		}
		list[i] = a.Canonical().String()
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// write prints a domain. Accounts without settings have an empty table.
func (d domainFile) write(w io.Writer, domain string) error {
	var b bytes.Buffer
	table := func(name string, keys []string, value func(string) string) {
		fmt.Fprintf(&b, "\n[domains.%s.%s]\n", tomlText(domain), name)
		for _, key := range keys {
			fmt.Fprintf(&b, "%s = %s\n", tomlText(keyOf(key, domain)), value(key))
		}
	}
	table("settings", sortedKeys(d.Settings), func(k string) string { return tomlText(d.Settings[k]) })
	table("accounts", sortedKeys(d.Accounts), func(k string) string {
		var parts []string
		for _, name := range sortedKeys(d.Accounts[k]) {
			parts = append(parts, name+" = "+tomlText(d.Accounts[k][name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	})
	table("aliases", sortedKeys(d.Aliases), func(k string) string {
		if targets := d.Aliases.targets(k); len(targets) == 1 {
			return tomlText(targets[0])
		}
		return tomlList(d.Aliases.targets(k))
	})
	table("groups", sortedKeys(d.Groups), func(k string) string { return tomlList(d.Groups[k]) })
	_, err := w.Write(b.Bytes())
	return err
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// tomlList returns a list of basic strings of TOML.
func tomlList(list []string) string {
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = tomlText(text)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// tomlText returns a basic string of TOML, which has the escapes of JSON.
func tomlText(s string) string {
	text, err := json.Marshal(s)
	if err != nil { // no string fails
		return `""`
	}
	return strings.ReplaceAll(string(text), "\x7f", `\u007f`)
}
