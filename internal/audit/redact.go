package audit

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Hidden takes the place of what is never written down; HiddenNew that of what took its place.
const (
	Hidden    = "(hidden)"
	HiddenNew = "(hidden, new)"
)

// secretWords are parts of the names of members that hold secrets, in lower case.
func secretWords() []string {
	return []string{"secret", "password", "passwd", "hash", "token", "credential", "headervalues", "privatekey", "ha1", "sealed", "pin"}
}

// Redact gives both sides of a change without secrets, told by the names of their members. What is no JSON is left out.
func Redact(before, after []byte) (cleanBefore, cleanAfter json.RawMessage) {
	b, a := decode(before), decode(after)
	b, a = hide(b, a, false)
	return encode(b), encode(a)
}

func decode(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // numbers stay as they were written
	var v any
	if err := d.Decode(&v); err != nil {
		return nil
	}
	return v
}

func encode(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// hide walks both sides together, so that it shows that a secret has changed, and not what it is.
func hide(before, after any, secret bool) (cleanBefore, cleanAfter any) {
	if secret {
		return hidden(before, nil), hidden(after, before)
	}
	b, bIsMap := before.(map[string]any)
	a, aIsMap := after.(map[string]any)
	if bIsMap || aIsMap {
		for name, v := range b {
			var other any
			if aIsMap {
				other = a[name]
			}
			cb, ca := hide(v, other, isSecret(name))
			b[name] = cb
			if _, there := a[name]; there {
				a[name] = ca
			}
		}
		for name, v := range a {
			if _, both := b[name]; both && bIsMap {
				continue
			}
			_, a[name] = hide(nil, v, isSecret(name))
		}
		return before, after
	}
	for _, list := range []any{before, after} {
		if l, ok := list.([]any); ok {
			for i := range l {
				l[i], _ = hide(l[i], nil, false)
			}
		}
	}
	return before, after
}

func hidden(v, was any) any {
	switch v {
	case nil, "":
		return v
	}
	if was != nil && was != "" && !same(v, was) {
		return HiddenNew
	}
	return Hidden
}

func same(a, b any) bool { return bytes.Equal(encode(a), encode(b)) }

func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, w := range secretWords() {
		if w == "pin" { // a word of its own: pinging and spinning are no secrets
			if name == w {
				return true
			}
			continue
		}
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}
