package ivr

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// problemFormats are the formats of all problems that the package's source can tell of.
func problemFormats(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	// Which argument is the format, by the name of the function.
	at := map[string]int{"problem": 1, "warn": 1, "fail": 1, "newProblem": 2}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			i, ok := at[name]
			if sel, method := call.Fun.(*ast.SelectorExpr); method && ofDocument(sel.X) {
				i++ // (*Document).problem has the action's identifier first
			}
			if !ok || len(call.Args) <= i {
				return true
			}
			if text, ok := literal(call.Args[i]); ok {
				out[text] = file
			}
			return true
		})
	}
	return out
}

// ofDocument tells that a method is called on a document: "d" or something's "doc".
func ofDocument(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "d"
	case *ast.SelectorExpr:
		return e.Sel.Name == "doc"
	}
	return false
}

// literal is a string that is written out, perhaps in parts.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, okA := literal(e.X)
		b, okB := literal(e.Y)
		return a + b, okA && okB
	}
	return "", false
}

// samples are arguments for the verbs of a format.
func samples(format string) []any {
	var out []any
	for _, verb := range regexp.MustCompile(`%(?:\[\d+\])?[.0-9]*([a-z%])`).FindAllStringSubmatch(format, -1) {
		switch verb[1] {
		case "d":
			out = append(out, 3)
		case "%":
		default:
			out = append(out, "x")
		}
	}
	return out
}

func TestEveryProblemHasARuleAndWhatToDoInEnglishAndKorean(t *testing.T) {
	var list []advice
	if err := json.Unmarshal([]byte(adviceText), &list); err != nil {
		t.Fatal(err)
	}
	known := make(map[string]advice)
	for _, a := range list {
		if got, ok := adviceOn(a.Format); !ok || got != a {
			t.Errorf("%q is not found, or twice there: %+v", a.Format, got)
		}
		known[a.Format] = a
	}
	formats := problemFormats(t)
	if len(formats) < 50 || len(known) < 50 {
		t.Fatalf("%d formats in the source, %d in advice.json", len(formats), len(known))
	}
	lacking := 0
	for format, file := range formats {
		if _, ok := known[format]; !ok {
			lacking++
			t.Logf("%s: advice.json has nothing about %q", file, format)
		}
	}
	if lacking > len(formats)/10 { // a new action may go without for a while: it is told in English, by the rule "parameter"
		t.Errorf("%d of %d problems have no entry in advice.json", lacking, len(formats))
	}
	hangul := regexp.MustCompile(`[가-힣]`)
	for format, a := range known {
		if a.Rule == "" || a.Fix == "" || !hangul.MatchString(a.KoFix) || !hangul.MatchString(a.Ko) && len(format) > 2 {
			t.Errorf("%q is not complete: %+v", format, a)
		}
		args := samples(format)
		for _, text := range []string{format, a.Ko} {
			if s := fmt.Sprintf(text, args...); strings.Contains(s, "%!") {
				t.Errorf("%q does not take the arguments of %q: %s", text, format, s)
			}
		}
	}
}
