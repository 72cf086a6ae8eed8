package arch

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// words is layer 0: what everybody may say.
func words() []string {
	return []string{"internal/errs", "internal/phone", "internal/calendar", "internal/contact", "internal/resource", "internal/wav"}
}

// rules is section 3 of the design: for each package what it may import of this module beside its own sub-folders. A
// row that ends in /... also holds for all packages below it. A package without a row fails: write its row, and
// say in ARCHITECTURE.md why it exists.
func rules() map[string][]string {
	w := words()
	with := func(more ...string) []string { return append(slices.Clone(w), more...) }
	parts := with("internal/events", "internal/jobs", "internal/permit")
	below := with("internal/events", "internal/jobs", "internal/permit", "internal/identity", "internal/call",
		"internal/chat", "internal/cluster", "internal/recording", "internal/view", "internal/trace", "internal/webhook", "internal/stream", "internal/egress", "internal/audit", "internal/records", "sip", "acd", "ivr", "ivr/flowtest", "campaigns", "dialer", "prompts", "reporting")
	return map[string][]string{
		// 0 words
		"internal/errs": nil, "internal/phone": {"internal/errs"}, "internal/calendar": {"internal/errs"},
		"internal/contact": {"internal/phone", "internal/errs"}, "internal/resource": {"internal/errs"},
		"internal/wav": {"internal/errs"},
		// 1 parts
		"media": w, "media/...": with("media/sdp", "media/srtp", "media/g711", "media/dtmf", "media"),
		"media/archive": with("media/g711", "media/opus"),
		"prompts":       w, "prompts/...": w, "prompts/ssml": with("prompts/say"), "prompts/provider": with("prompts", "prompts/ssml"),
		"internal/config": w, "internal/telemetry": w, "internal/events": w, "internal/jobs": w, "internal/cluster": w,
		"internal/permit": w, "internal/recording": w, "internal/identity": w, "internal/trace": w, "internal/certs": w,
		"internal/view": w, "internal/egress": w, "internal/webhook": with("internal/egress"), "internal/stream": w, "internal/audit": w,
		"internal/records": with("internal/audit"),
		// 2 actors
		"internal/call": with("internal/events", "internal/permit"),
		"internal/chat": with("internal/events", "internal/permit"),
		// 3 signalling
		"sip": with("internal/call", "media/sdp"),
		// The test kit speaks to us from outside: it must not lean on what it tests.
		"sip/siptest": w,
		// 4 applications, not each other
		"acd": parts, "ivr": append(slices.Clone(parts), "prompts"), "campaigns": parts, "campaigns/...": parts,
		"reporting":    w,
		"ivr/flowtest": append(slices.Clone(parts), "ivr", "prompts"),
		"dialer":       append(slices.Clone(parts), "campaigns"),
		// 5 storage
		"storage": below, "storage/blob": w, "storage/storagetest": append(slices.Clone(below), "storage"),
		// 6 faces
		"internal/api": below, "internal/api/...": append(slices.Clone(below), "internal/api/rest"), "internal/console": below,
		// 7 wiring
		"internal/app": {"*"}, "internal/arch": nil,
		// 8 commands, and the end-to-end tests that run them
		"cmd/ullim": {"internal/app", "internal/config", "ivr/flowtest"}, "internal/e2e": nil,
	}
}

func TestEveryPackageImportsOnlyWhatItsRowAllows(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "ullim/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	table := rules()
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimPrefix(p.ImportPath, "ullim/")
		allowed, ok := rowOf(table, pkg)
		if !ok {
			t.Errorf("package %s has no row in the import table: write one (internal/arch) and name it in ARCHITECTURE.md", pkg)
			continue
		}
		for _, imp := range p.Imports {
			if name, ours := strings.CutPrefix(imp, "ullim/"); ours && !may(allowed, pkg, name) {
				t.Errorf("%s must not import %s", pkg, name)
			}
		}
	}
}

func rowOf(table map[string][]string, pkg string) ([]string, bool) {
	if row, ok := table[pkg]; ok {
		return row, true
	}
	for dir := filepath.Dir(pkg); dir != "."; dir = filepath.Dir(dir) {
		if row, ok := table[dir+"/..."]; ok {
			return row, true
		}
	}
	return nil, false
}

func may(allowed []string, pkg, imp string) bool {
	return slices.Contains(allowed, "*") || slices.Contains(allowed, imp) || strings.HasPrefix(imp, pkg+"/")
}

// The most lines that a file and a function may have. A file holds one idea, a function fits on one screen.
const (
	maxFile     = 600
	maxFunction = 80
)

func TestFilesAndFunctionsCanBeReadInOneSitting(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{range .CgoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}`, "ullim/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for file := range strings.FieldsSeq(string(out)) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := fset.File(f.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, over %d: find the second idea in it", file, n, maxFile)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFunction {
				t.Errorf("%s: func %s has %d lines, over %d", fset.Position(fn.Pos()), fn.Name.Name, n, maxFunction)
			}
		}
	}
}
