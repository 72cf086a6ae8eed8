package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference is docs/configuration.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from internal/config. Change the tags there, then: make generate -->

` + "`ullim serve`" + ` needs no configuration. What differs from the defaults below goes into a YAML file, given by
` + "`--config`" + `, or into environment variables, which go before the file. The file is read once, at start; an unknown key, a
wrong type or a value out of range stops the start and names file, line, field and rule. ` + "`ullim check`" + ` does the same
without starting.

Times have a unit (` + "`500ms`, `60s`, `1h30m`" + `). Lists in variables are separated by commas. Secrets are written as
` + "`file:PATH`" + ` or ` + "`env:NAME`" + ` and read from there; they are never printed. Relative paths start at the working folder.

`)
	root := reflect.TypeFor[Config]()
	section(&b, root, "")
	b.WriteString("## All defaults as a file\n\n```yaml\n")
	example(&b, root, "")
	b.WriteString("```\n")
	return b.String()
}

// section writes the table of a section and then of its sub-sections.
func section(b *strings.Builder, t reflect.Type, prefix string) {
	head := false
	for f := range t.Fields() {
		if isSection(f.Type) {
			continue
		}
		if !head {
			b.WriteString("| key | default | values | meaning |\n| --- | --- | --- | --- |\n")
			head = true
		}
		path := prefix + f.Tag.Get("yaml")
		def := "(empty)"
		if text := f.Tag.Get("default"); text != "" {
			def = "`" + text + "`"
		}
		fmt.Fprintf(b, "| `%s`<br>`%s` | %s | %s | %s |\n", path, key{path: path}.variable(), def, values(f), f.Tag.Get("doc"))
	}
	if head {
		b.WriteString("\n")
	}
	for f := range t.Fields() {
		if isSection(f.Type) {
			path := prefix + f.Tag.Get("yaml")
			fmt.Fprintf(b, "## %s\n\n%s\n\n", path, f.Tag.Get("doc"))
			section(b, f.Type, path+".")
		}
	}
}

// values says what a key may hold.
func values(f reflect.StructField) string {
	if allowed := strings.Fields(f.Tag.Get("oneof")); len(allowed) > 0 {
		return "`" + strings.Join(allowed, "`, `") + "`"
	}
	kind := map[string]string{
		"int": "whole number", "float64": "number", "time.Duration": "time", "bool": "`true`, `false`",
		"config.Secret": "reference", "config.PortRange": "two ports", "[]string": "list", "string": "text",
	}[f.Type.String()]
	if f.Tag.Get("plain") == "ok" {
		kind = "text or reference"
	}
	switch f.Tag.Get("form") {
	case "listen":
		kind = strings.TrimPrefix(kind+" of ip:port", "text of ")
	case "prefix":
		kind = "list of IP addresses and prefixes"
	case "ip":
		kind = "IP address"
	case "host":
		kind = "IP address or host name"
	case "egress":
		kind = "list of network, host[:port]"
	case "port":
		kind = "list of port"
	case "hostport":
		kind = "host[:port]"
	}
	if low := f.Tag.Get("min"); low != "" {
		kind += ", `" + low + "` to `" + f.Tag.Get("max") + "`"
	}
	return kind
}

// example writes the defaults as YAML that Load reads back; keys without a default are comments.
func example(b *strings.Builder, t reflect.Type, indent string) {
	for f := range t.Fields() {
		name, def := f.Tag.Get("yaml"), f.Tag.Get("default")
		switch {
		case isSection(f.Type):
			fmt.Fprintf(b, "%s%s:\n", indent, name)
			example(b, f.Type, indent+"  ")
		case def == "":
			fmt.Fprintf(b, "%s# %s:\n", indent, name)
		case f.Type.Kind() == reflect.Slice:
			fmt.Fprintf(b, "%s%s: [%q]\n", indent, name, def)
		default:
			fmt.Fprintf(b, "%s%s: %s\n", indent, name, def)
		}
	}
}
