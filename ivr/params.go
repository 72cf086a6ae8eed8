package ivr

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// params reads the parameters of one action. What is wrong becomes a problem of the document, which stops publishing;
// reading goes on, so that all problems are told at once.
type params struct {
	doc *Document
	id  string // of the action
	at  string // where in the action: "Parameters.DTMFConfiguration"
	m   map[string]any
}

func (p *params) problem(field, format string, args ...any) {
	at := p.at
	if field != "" {
		at += "." + field
	}
	p.doc.problem(p.id, at, format, args...)
}

// has tells whether a parameter is there.
func (p *params) has(name string) bool {
	v, ok := p.m[name]
	return ok && v != nil && v != ""
}

// raw is a scalar; "" if it is not there.
func (p *params) raw(name string) string {
	v, ok := p.m[name]
	if !ok || v == nil {
		return ""
	}
	s, ok := scalar(v)
	if !ok {
		p.problem(name, "must be a string")
	}
	return s
}

// static is a parameter that cannot have data paths.
func (p *params) static(name string) string {
	s := p.raw(name)
	if !parseValue(s).isStatic() {
		p.problem(name, "must be fixed text: data paths ($.) are not possible here")
	}
	return s
}

// oneOf is a static parameter with a few possible values; empty is possible too. Upper and lower case are the same on
// the way in.
func (p *params) oneOf(name string, values ...string) string {
	s := p.static(name)
	if s == "" {
		return ""
	}
	for _, v := range values {
		if strings.EqualFold(s, v) {
			return v
		}
	}
	p.problem(name, "must be one of %s", strings.Join(values, ", "))
	return ""
}

// yes is a static True or False; absent is False.
func (p *params) yes(name string) bool { return p.oneOf(name, "True", "False") == "True" }

// number is a static whole number between lo and hi; absent is the default.
func (p *params) number(name string, lo, hi, absent int) int {
	s := p.static(name)
	if s == "" {
		return absent
	}
	n, ok := wholeNumber(s, lo, hi)
	if !ok {
		p.problem(name, "must be a whole number from %d to %d", lo, hi)
		return absent
	}
	return n
}

// numberOrPath is a whole number between lo and hi, or one data path that gives such a number when the flow runs.
func (p *params) numberOrPath(name string, lo, hi int) value {
	v := p.whole(name)
	if v.given() && v.isStatic() {
		if _, ok := wholeNumber(v.raw, lo, hi); !ok {
			p.problem(name, "must be a whole number from %d to %d, or one data path", lo, hi)
		}
	}
	return v
}

func wholeNumber(s string, lo, hi int) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return n, err == nil && n >= lo && n <= hi
}

// whole is text without data paths, or one data path and nothing else.
func (p *params) whole(name string) value {
	v := parseWhole(p.raw(name))
	if !v.isStatic() && !v.isPath() {
		p.problem(name, "must be fixed text or exactly one data path, not both")
	}
	p.checkPaths(name, v)
	return v
}

// free is text in which data paths may stand anywhere.
func (p *params) free(name string) value {
	v := parseValue(p.raw(name))
	p.checkPaths(name, v)
	return v
}

func (p *params) checkPaths(name string, v value) {
	for _, part := range v.parts {
		if part.path != nil && !knownPath(part.path) {
			p.problem(name, "$.%s is not a data path that flows have; keys with other characters than ASCII letters, "+
				"digits, _ and - are written as $.Attributes.['the key']", strings.Join(part.path, "."))
		}
	}
}

// need notes a problem if a parameter is not there.
func (p *params) need(names ...string) {
	for _, name := range names {
		if !p.has(name) {
			p.problem(name, "is required")
		}
	}
}

// group is an object among the parameters; one that is not there is empty.
func (p *params) group(name string) *params {
	m, err := object(name, p.m[name])
	if err != nil {
		p.problem(name, "must be an object")
	}
	return &params{doc: p.doc, id: p.id, at: p.at + "." + name, m: m}
}

// items is a list of objects among the parameters.
func (p *params) items(name string) []*params {
	l, err := list(name, p.m[name])
	if err != nil {
		p.problem(name, "must be a list")
	}
	var out []*params
	for i, v := range l {
		at := fmt.Sprintf("%s[%d]", name, i)
		m, ok := v.(map[string]any)
		if !ok {
			p.problem(at, "must be an object")
		}
		out = append(out, &params{doc: p.doc, id: p.id, at: p.at + "." + at, m: m})
	}
	return out
}

// texts is a list of strings, each one of values.
func (p *params) texts(name string, values ...string) []string {
	l, err := list(name, p.m[name])
	if err != nil {
		p.problem(name, "must be a list")
	}
	var out []string
	for i, v := range l {
		s, ok := v.(string)
		if !ok || !slices.Contains(values, s) {
			p.problem(fmt.Sprintf("%s[%d]", name, i), "must be one of %s", strings.Join(values, ", "))
			continue
		}
		out = append(out, s)
	}
	return out
}

// keys are the names of the parameters, sorted.
func (p *params) keys() []string {
	return sortedKeys(p.m)
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// rename takes an older name of a parameter for the present one.
func (p *params) rename(old, name string) {
	if p.has(old) && !p.has(name) {
		p.m[name] = p.m[old]
	}
}

// values are the entries of an object, each free text with data paths. Their keys are fixed.
func (p *params) values(name string) map[string]value {
	group := p.group(name)
	out := make(map[string]value, len(group.m))
	for _, key := range group.keys() {
		out[key] = group.free(key)
	}
	return out
}

// entry is a key with its value, each text with data paths; the key is fixed text or one path.
type entry struct{ key, value value }

// entries are those of an object. rule says what is wrong with a fixed key that is bad.
func (p *params) entries(bad func(key string) bool, rule string) []entry {
	out := make([]entry, 0, len(p.m))
	for _, key := range p.keys() {
		e := entry{key: parseWhole(key), value: p.free(key)}
		switch {
		case e.key.isPath():
			p.checkPaths(key, e.key)
		case bad(key):
			p.problem(cut(key, maxPathKey), "%s", rule)
		}
		out = append(out, e)
	}
	return out
}

// entries are a map, when the flow runs.
func (s *session) entries(list []entry, bad func(key string) bool) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, e := range list {
		key := s.text(e.key)
		if bad(key) {
			return nil, fmt.Errorf("ivr: %s does not give a key that is possible", e.key.raw)
		}
		out[key] = s.text(e.value)
	}
	return out, nil
}

// tree is a JSON value of any shape among the parameters, in whose texts data paths may stand: text becomes a value, the
// rest stays. fill makes JSON of it when the flow runs. static: no path is in it.
func (p *params) tree(name string) (t any, static bool) {
	static = true
	var walk func(at string, v any) any
	walk = func(at string, v any) any {
		switch v := v.(type) {
		case string:
			text := parseWhole(v)
			p.checkPaths(at, text)
			static = static && text.isStatic()
			return text
		case map[string]any:
			out := make(map[string]any, len(v))
			for _, k := range sortedKeys(v) {
				out[k] = walk(at+"."+k, v[k])
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = walk(fmt.Sprintf("%s[%d]", at, i), v[i])
			}
			return out
		}
		return v
	}
	return walk(name, p.m[name]), static
}

// fill makes JSON of a tree. A text that is one path becomes what the path gives, be it a part of a tree itself.
func (s *session) fill(t any) any {
	switch t := t.(type) {
	case value:
		if !t.isPath() {
			return s.text(t)
		}
		if v, ok := s.find(t.parts[0].path); ok {
			return v
		}
		return nil
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = s.fill(v)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = s.fill(v)
		}
		return out
	}
	return t
}
