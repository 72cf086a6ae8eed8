package ivr

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a data path; the longest that exists has five parts.
const (
	maxPathParts = 10
	maxPathKey   = 256
)

// value is a parameter as written: text, data paths, or both. The zero value is an absent parameter.
type value struct {
	raw   string
	parts []part
}

// part is text, or a path if there is one.
type part struct {
	text string
	path []string
}

// parseValue reads a value in which data paths may stand inside text ("Hello $.Attributes.name"). A key of a path ends at
// the first character that is not an ASCII letter, digit, _ or -, so that a particle can follow it directly; other keys
// are written in brackets ($.Attributes.['first name']).
func parseValue(raw string) value {
	v := value{raw: raw}
	text := 0
	for i := 0; i < len(raw); {
		path, n := scanInText(raw[i:], i == 0)
		if n == 0 || raw[i] != '$' && i > 0 && keyRune(rune(raw[i-1]), false) { // a column is a word of its own
			i++
			continue
		}
		if text < i {
			v.parts = append(v.parts, part{text: raw[text:i]})
		}
		v.parts = append(v.parts, part{path: path})
		i += n
		text = i
	}
	if text < len(raw) {
		v.parts = append(v.parts, part{text: raw[text:]})
	}
	return v
}

// parseWhole reads a value that is either without paths or one path and nothing else; then its keys may have any letters.
func parseWhole(raw string) value {
	if path, n := scanPath(raw, true); n > 0 && n == len(raw) {
		return value{raw: raw, parts: []part{{path: path}}}
	}
	return parseValue(raw)
}

// given tells whether the parameter is there and not empty.
func (v value) given() bool { return v.raw != "" }

// isStatic tells that no path is in it.
func (v value) isStatic() bool {
	return !slices.ContainsFunc(v.parts, func(p part) bool { return p.path != nil })
}

// isPath tells that it is one path and nothing else.
func (v value) isPath() bool { return len(v.parts) == 1 && v.parts[0].path != nil }

// resolve replaces each path by what lookup says; a missing value is empty. quote, if given, is applied to what was
// looked up, not to what the flow's author wrote.
func (v value) resolve(lookup func(path []string) (string, bool), quote func(string) string) string {
	if v.isStatic() {
		return v.raw
	}
	var b strings.Builder
	for _, p := range v.parts {
		if p.path == nil {
			b.WriteString(p.text)
			continue
		}
		s, _ := lookup(p.path)
		if quote != nil {
			s = quote(s)
		}
		b.WriteString(s)
	}
	return b.String()
}

// scanInText reads a data path at the start of s, which goes on after it: "$.Attributes.city.wav" is the path
// $.Attributes.city and ".wav", because no path is longer. all: nothing stands before it, so that a path which is all of
// the text is left as it is, and told of if it means nothing.
func scanInText(s string, all bool) (path []string, n int) {
	path, n = scanPath(s, false)
	if all && n == len(s) {
		return path, n
	}
	short, m := path, n
	for len(short) > 0 && !knownPath(short) {
		last := short[len(short)-1]
		if !strings.HasSuffix(s[:m], "."+last) { // in brackets: it was meant to be a key
			return path, n
		}
		short, m = short[:len(short)-1], m-len(last)-1
	}
	if len(short) == 0 {
		return path, n
	}
	return short, m
}

// scanPath reads a data path at the start of s and gives its keys and its length; 0 if there is none. wide allows keys
// in any alphabet without brackets.
func scanPath(s string, wide bool) (path []string, n int) {
	if !strings.HasPrefix(s, "$.") {
		return columnPath(s)
	}
	n = 1
	for len(path) < maxPathParts {
		key, m := scanKey(s[n:], wide)
		if m == 0 && len(path) > 0 && isTree(path[0]) {
			key, m = scanPosition(s[n:])
		}
		if m == 0 {
			break
		}
		path = append(path, key)
		n += m
	}
	if len(path) == 0 {
		return nil, 0
	}
	return path, n
}

// column is how campaign lists of the 2023 design write the value of a column: without "$.".
const column = "Attributes_"

// columnPath reads "Attributes_<Column>", which is the attribute of that name.
func columnPath(s string) (path []string, n int) {
	if !strings.HasPrefix(s, column) {
		return nil, 0
	}
	key, m := scanKey("."+s[len(column):], false)
	if m == 0 {
		return nil, 0
	}
	return []string{"Attributes", key}, len(column) + m - 1
}

// isTree tells which paths lead into JSON, where lists have positions: $.External.orders[0].id.
func isTree(root string) bool { return root == "External" || root == "Views" }

// scanPosition reads "[12]".
func scanPosition(s string) (string, int) {
	if len(s) < 3 || s[0] != '[' {
		return "", 0
	}
	n := 1
	for n < len(s) && n < 6 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n == 1 || n == len(s) || s[n] != ']' {
		return "", 0
	}
	return s[1:n], n + 1
}

// scanKey reads ".key", ".['key']" or "['key']".
func scanKey(s string, wide bool) (string, int) {
	rest := strings.TrimPrefix(s, ".")
	dot := len(s) - len(rest)
	if len(rest) > 3 && rest[0] == '[' && (rest[1] == '\'' || rest[1] == '"') {
		window := rest[2:min(len(rest), 2+maxPathKey+2)] // or text full of open brackets would be read again and again
		end := strings.Index(window, rest[1:2]+"]")
		if end < 1 {
			return "", 0
		}
		return rest[2 : 2+end], dot + 2 + end + 2
	}
	if dot == 0 {
		return "", 0
	}
	n := 0
	for n < len(rest) && n <= maxPathKey {
		r, size := utf8.DecodeRuneInString(rest[n:])
		if !keyRune(r, wide) {
			break
		}
		n += size
	}
	if n == 0 || n > maxPathKey {
		return "", 0
	}
	return rest[:n], 1 + n
}

func keyRune(r rune, wide bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		return true
	case !wide || r == utf8.RuneError:
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// knownPath tells whether a path can mean anything (A1.9). Paths that only blocks of other products fill are known and
// empty, so that flows which mention them can be imported.
func knownPath(path []string) bool {
	n := len(path)
	in := func(keys ...string) bool { return n == 2 && slices.Contains(keys, path[1]) }
	switch path[0] {
	case "ContactId", "InitialContactId", "PreviousContactId", "RelatedContactId", "Channel", "InitiationMethod",
		"InstanceARN", "LanguageCode", "TextToSpeechVoiceId", "CustomerId", "Name", "Description",
		"StoredCustomerInput", "CustomerCallbackNumber", "AwsRegion":
		return n == 1
	case "CustomerEndpoint", "SystemEndpoint":
		return in("Address", "Type", "DisplayName")
	case "Queue":
		return in("Name", "ARN") || n == 3 && path[1] == "OutboundCallerId" && (path[2] == "Address" || path[2] == "Type")
	case "Agent":
		return in("UserName", "FirstName", "LastName", "ARN")
	case "Attributes", "Tags":
		return n == 2
	case "References":
		return n == 2 || n == 3 && (path[2] == "Value" || path[2] == "Type")
	case "Task":
		return in("ContactId")
	case "FlowAttributes", "External", "Lex", "Metrics", "Media", "MediaStreams", "Customer", "Case", "Wisdom", "Views",
		"SegmentAttributes", "Email", "Modules", "DataTables", "Loop":
		return n >= 2
	}
	return false
}
