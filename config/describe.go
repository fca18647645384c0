package config

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Describe writes the reference: a configuration file with the default, the form and the purpose of
// every setting.
func Describe(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(`# Popelago configuration: every setting with its default.
#
# Printed by "popelago config describe". "popelago config check FILE" checks a file.
# Every setting is optional. POPELAGO_SECTION_KEY in the environment overrides one, as
# POPELAGO_POP3_LISTEN does listen in [pop3]. Relative paths are relative to this file.
# A server needs at least one listen address.
`)
	c := Default()
	table := settings(&c)
	describeTOML(&b, table, "")
	for _, s := range sections() {
		b.WriteByte('\n')
		comment(&b, s.doc)
		fmt.Fprintf(&b, "[%s]\n", s.name)
		describeTOML(&b, table, s.name)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func describeTOML(b *bytes.Buffer, table []setting, section string) {
	for _, s := range table {
		in, name := splitKey(s.key)
		if in != section {
			continue
		}
		b.WriteByte('\n')
		comment(b, s.doc)
		comment(b, "Takes "+s.value.form()+".")
		fmt.Fprintf(b, "%s = %s\n", name, s.value.literal())
	}
}

// DescribeMarkdown writes the same reference as a page: docs/configuration.md.
func DescribeMarkdown(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(`# Configuration

<!-- Made from the code by "popelago config describe --markdown". Do not edit. -->

` + "`popelago serve --config popelago.toml`" + ` reads one TOML file. Unknown settings, wrong types and
impossible values are refused at the start, each with file, line and the right form.
` + "`popelago config check FILE`" + ` checks a file without starting, ` + "`popelago config describe`" + ` prints the
settings below as a file to start from.

- Every setting is optional, but a server needs at least one ` + "`listen`" + ` address.
- A variable ` + "`POPELAGO_SECTION_KEY`" + ` in the environment overrides a setting, as ` + "`POPELAGO_POP3_LISTEN`" + ` does
  ` + "`listen`" + ` in ` + "`[pop3]`" + `; lists are written ` + "`a,b`" + ` there and tables ` + "`a=1,b=2`" + `. Flags of ` + "`serve`" + ` override both.
- Secrets are read from files that settings name, never from the configuration itself.
- A relative path in the file starts at the folder of the file; in the environment or in a flag it starts at the
  working folder.
- Durations are written like ` + "`\"90s\"`, `\"10m\"`, `\"1h30m\"`" + `; sizes like ` + "`\"64MiB\"`" + ` (1024), ` + "`\"50MB\"`" + ` (1000) or a
  number of octets.
`)
	c := Default()
	table := settings(&c)
	b.WriteString("\n## Before the first section\n\n")
	describeRows(&b, table, "")
	for _, s := range sections() {
		fmt.Fprintf(&b, "\n## [%s]\n\n%s\n\n", s.name, s.doc)
		describeRows(&b, table, s.name)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func describeRows(b *bytes.Buffer, table []setting, section string) {
	b.WriteString("| setting | default | takes | meaning |\n|---|---|---|---|\n")
	for _, s := range table {
		if in, name := splitKey(s.key); in == section {
			fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", name, s.value.literal(), s.value.form(), s.doc)
		}
	}
}

func splitKey(key string) (section, name string) {
	section, name, ok := strings.Cut(key, ".")
	if !ok {
		return "", key
	}
	return section, name
}

// comment writes text as comment lines of at most 98 characters.
func comment(b *bytes.Buffer, text string) {
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 98 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
