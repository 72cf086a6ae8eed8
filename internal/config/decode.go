package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// envPrefix begins the name of every variable: sip.max_calls is ULLIM_SIP_MAX_CALLS.
const envPrefix = "ULLIM_"

// decoder fills a Config in three passes (defaults, file, environment), each over the last, and remembers where every
// value came from.
type decoder struct {
	file   string
	env    map[string]string
	origin map[string]Error // by field, without Field and Rule
	errs   []*Error
}

func newDecoder(file string, env []string) *decoder {
	d := &decoder{file: file, env: make(map[string]string, len(env)), origin: make(map[string]Error)}
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			d.env[k] = v
		}
	}
	return d
}

// fail notes that a rule about a field does not hold, at the place that gave the field its value.
func (d *decoder) fail(field, format string, args ...any) { d.failNear(field, field, format, args...) }

// failNear is fail for a field that may have only its default: then the place is that of near, the key that made the
// default wrong.
func (d *decoder) failNear(field, near, format string, args ...any) {
	e, ok := d.origin[field]
	if !ok {
		if e, ok = d.origin[near]; !ok {
			e = Error{File: d.file}
		}
	}
	e.Field, e.Rule = field, fmt.Sprintf(format, args...)
	d.errs = append(d.errs, &e)
}

// failAt is fail with a line of the file.
func (d *decoder) failAt(line int, field, format string, args ...any) {
	d.errs = append(d.errs, &Error{File: d.file, Line: line, Field: field, Rule: fmt.Sprintf(format, args...)})
}

// key is one leaf of the configuration.
type key struct {
	path  string // sip.max_calls
	field reflect.StructField
	value reflect.Value
}

// variable is the environment variable of the key.
func (k key) variable() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.path, ".", "_"))
}

// isSection reports whether a field holds keys of its own.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[PortRange]()
}

// keys lists the leaves below v in the order of the struct.
func keys(v reflect.Value, prefix string) []key {
	var out []key
	for f, fv := range v.Fields() {
		path := prefix + f.Tag.Get("yaml")
		if isSection(f.Type) {
			out = append(out, keys(fv, path+".")...)
			continue
		}
		out = append(out, key{path: path, field: f, value: fv})
	}
	return out
}

func (d *decoder) defaults(c *Config) {
	for _, k := range keys(reflect.ValueOf(c).Elem(), "") {
		text, ok := k.field.Tag.Lookup("default")
		if !ok {
			continue
		}
		if err := set(k.value, text); err != nil {
			d.fail(k.path, "default: %v", err)
		}
	}
}

// set gives a leaf the value of a text. A list is separated by commas. The error is the rule.
func set(v reflect.Value, text string) error {
	text = strings.TrimSpace(text)
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = text
	case *Secret:
		*p = Secret(text)
	case *[]string:
		*p = nil
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				*p = append(*p, item)
			}
		}
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("must be true or false; got %q", text)
		}
		*p = text == "true"
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("must be a whole number; got %q", text)
		}
		*p = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != n || n-n != 0 {
			return fmt.Errorf("must be a number; got %q", text)
		}
		*p = n
	case *time.Duration:
		t, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("must be a time with its unit, as 500ms, 60s or 1h30m; got %q", text)
		}
		*p = t
	case *PortRange:
		low, high, _ := strings.Cut(text, "-")
		l, errLow := strconv.Atoi(strings.TrimSpace(low))
		h, errHigh := strconv.Atoi(strings.TrimSpace(high))
		if errLow != nil || errHigh != nil {
			return fmt.Errorf("must be two ports, as 20000-29999; got %q", text)
		}
		*p = PortRange{Low: l, High: h}
	default:
		return fmt.Errorf("has the unknown type %T", p)
	}
	return nil
}

func (d *decoder) yaml(c *Config, data []byte) {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if err.Error() != "EOF" { // nothing but comments is a configuration too
			d.syntax(err)
		}
		return
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		d.failAt(second.Line, "", "a second document (---) is not read: put everything into one")
		return
	} else if err.Error() != "EOF" {
		d.syntax(err)
		return
	}
	d.section(reflect.ValueOf(c).Elem(), doc.Content[0], "")
}

// syntax takes the line out of the parser's message.
func (d *decoder) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	d.failAt(line, "", "not YAML: %s", text)
}

// section reads the keys of a mapping into a struct.
func (d *decoder) section(v reflect.Value, n *yaml.Node, prefix string) {
	n = resolve(n)
	name := strings.TrimSuffix(prefix, ".")
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" { // a section whose keys are all commented out
		return
	}
	if n.Kind != yaml.MappingNode {
		d.failAt(n.Line, name, "must be a section with keys: %s", strings.Join(names(v.Type()), ", "))
		return
	}
	seen := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		path := prefix + k.Value
		if line, twice := seen[k.Value]; twice {
			d.failAt(k.Line, path, "is set twice, first in line %d", line)
			continue
		}
		seen[k.Value] = k.Line
		j := slices.Index(names(v.Type()), k.Value)
		if j < 0 || k.Kind != yaml.ScalarNode {
			d.failAt(k.Line, path, "unknown key; %s", suggestion(k.Value, names(v.Type())))
			continue
		}
		if fv := v.Field(j); isSection(fv.Type()) {
			d.section(fv, val, path+".")
		} else {
			d.leaf(fv, val, path)
		}
	}
}

// resolve follows an alias (*name) to its anchor.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// leaf reads one value. YAML's own types are checked, so that "no" is not a string and "60" not a time.
func (d *decoder) leaf(v reflect.Value, n *yaml.Node, path string) {
	d.origin[path] = Error{File: d.file, Line: n.Line}
	n = resolve(n)
	if v.Type() == reflect.TypeFor[[]string]() {
		if n.Kind != yaml.SequenceNode {
			d.fail(path, "must be a list, as [%q]", "0.0.0.0:5060")
			return
		}
		items := make([]string, 0, len(n.Content))
		for i, item := range n.Content {
			item = resolve(item)
			if item.Kind != yaml.ScalarNode || item.Tag != "!!str" {
				d.failAt(item.Line, fmt.Sprintf("%s[%d]", path, i), "must be text")
				return
			}
			items = append(items, item.Value)
			d.origin[fmt.Sprintf("%s[%d]", path, i)] = Error{File: d.file, Line: item.Line}
		}
		v.Set(reflect.ValueOf(items))
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(path, "must be one value, not a list or section")
		return
	}
	if n.Tag == "!!null" {
		d.fail(path, "has no value: give it one or remove the key")
		return
	}
	if err := typed(v.Type(), n); err != nil {
		d.fail(path, "%v", err)
		return
	}
	if err := set(v, n.Value); err != nil {
		d.fail(path, "%v", err)
	}
}

// typed refuses a scalar of another YAML type than the field's.
func typed(t reflect.Type, n *yaml.Node) error {
	want := []string{"!!str"}
	switch t.Kind() {
	case reflect.Bool:
		want = []string{"!!bool"}
	case reflect.Float64:
		want = []string{"!!int", "!!float"}
	case reflect.Int:
		want = []string{"!!int"}
	case reflect.String:
		want = []string{"!!str", "!!int", "!!float"}
	default:
	}
	if slices.Contains(want, n.Tag) {
		return nil
	}
	if t == reflect.TypeFor[Secret]() {
		return errors.New("must be text, in quotes")
	}
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Float64, reflect.Int64, reflect.Struct:
		probe := reflect.New(t).Elem()
		if err := set(probe, n.Value); err != nil {
			return err // says what the value must look like
		}
		return fmt.Errorf("must not be in quotes; got %q", n.Value)
	default:
		return fmt.Errorf("must be text, in quotes; got %s", n.Value)
	}
}

func (d *decoder) environment(c *Config) {
	root := reflect.ValueOf(c).Elem()
	known := make(map[string]bool)
	for _, k := range keys(root, "") {
		name := k.variable()
		known[name] = true
		text, ok := d.env[name]
		if !ok {
			continue
		}
		maps.DeleteFunc(d.origin, func(field string, _ Error) bool { return strings.HasPrefix(field, k.path+"[") })
		d.origin[k.path] = Error{Variable: name}
		if err := set(k.value, text); err != nil {
			d.fail(k.path, "%v", err)
		}
	}
	// A mistyped variable must not be passed over; one that is not about a section of ours may be anybody's.
	orchestrator := regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT|PORT)(_|$)`) // Kubernetes service links
	var unknown []string
	for name := range d.env {
		rest, ours := strings.CutPrefix(name, envPrefix)
		section, _, _ := strings.Cut(strings.ToLower(rest), "_")
		if ours && !known[name] && slices.Contains(names(root.Type()), section) && !orchestrator.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		d.errs = append(d.errs, &Error{Variable: name, Rule: "no key has this name: see the configuration reference"})
	}
}

// names are the keys of a section, in the order of the struct.
func names(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		out = append(out, f.Tag.Get("yaml"))
	}
	return out
}

// suggestion names the key that was probably meant, or all there are.
func suggestion(got string, known []string) string {
	best, least := "", 3
	for _, name := range known {
		if n := distance(strings.ToLower(got), name); n < least {
			best, least = name, n
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known are " + strings.Join(known, ", ")
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
