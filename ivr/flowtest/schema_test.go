package flowtest

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

const schemaFile = "../../docs/flow-test.schema.json"

// schema is the JSON schema of test files, made from their types.
func schema(tb testing.TB) ([]byte, *huma.Schema, huma.Registry) {
	tb.Helper()
	reg := huma.NewMapRegistry("#/$defs/", func(t reflect.Type, hint string) string { return huma.DefaultSchemaNamer(t, hint) })
	huma.SchemaFromType(reg, reflect.TypeFor[Suite]())
	root := reg.Schema(reflect.TypeFor[Suite](), true, "Suite")
	defs := reg.Map()
	// Shorter forms that the types read themselves.
	defs["Source"] = &huma.Schema{OneOf: []*huma.Schema{{Type: "string", Description: "name of a file beside the test file"}, defs["Source"]}}
	defs["Hours"] = &huma.Schema{OneOf: []*huma.Schema{{Type: "boolean"}, defs["Hours"]}}
	for _, name := range []string{"Suite", "Test", "Act"} {
		defs[name].AdditionalProperties = false
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Tests of a flow: docs/flow-testing.md",
		"$ref": root.Ref, "$defs": defs,
	}, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	return append(b, '\n'), root, reg
}

func TestSchemaOfTestFilesIsGenerated(t *testing.T) {
	want, _, _ := schema(t)
	if os.Getenv("ULLIM_UPDATE") != "" {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil { //nolint:gosec // a document for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say: run make generate (%v)", schemaFile, err)
	}
}

func TestCorpusFilesFitTheSchema(t *testing.T) {
	_, root, reg := schema(t)
	for _, file := range corpusFiles(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		res := &huma.ValidateResult{}
		huma.Validate(reg, root, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
		for _, e := range res.Errors {
			t.Errorf("%s: %v", file, e)
		}
	}
}
