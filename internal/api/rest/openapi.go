package rest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

const mediaJSON = "application/json"

// document is the OpenAPI 3.1 document of what is mounted, made of the same registrations that serve.
func document(mounts []Mount) ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	api := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "ullim", Version: "1",
			Description: "Amazon Connect shaped API. Signed with AWS Signature V4 (service connect, any region) or " +
				"authenticated by a bearer token. The operations under /connect are also served without that prefix, " +
				"as AWS SDKs call them.",
		},
		Paths: map[string]*huma.PathItem{},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"sigv4": {
					Type: "apiKey", Name: "Authorization", In: "header",
					Description: "AWS Signature Version 4: AWS4-HMAC-SHA256 Credential=...",
				},
				"bearer": {Type: "http", Scheme: "bearer"},
			},
		},
		Security: []map[string][]string{{"sigv4": {}}, {"bearer": {}}},
	}
	registry.Schema(reflect.TypeFor[ErrorBody](), true, "")
	seen := make(map[*Operation]bool)
	for _, m := range mounts {
		for _, op := range m.Table.ops {
			if seen[op] {
				continue
			}
			seen[op] = true
			path := op.document + op.Path
			item := api.Paths[path]
			if item == nil {
				item = &huma.PathItem{}
				api.Paths[path] = item
			}
			if err := setMethod(item, op, describe(op, registry)); err != nil {
				return nil, err
			}
		}
	}
	for name, schema := range registry.Map() {
		if !strings.HasPrefix(name, "Admin") {
			schema.AdditionalProperties = nil // ignored, as AWS services do
		}
	}
	b, err := json.Marshal(api)
	if err != nil {
		return nil, fmt.Errorf("rest: OpenAPI document: %w", err)
	}
	return b, nil
}

// ErrorBody is the body of every error; its name is in the header x-amzn-ErrorType.
type ErrorBody struct {
	Message string `json:"Message"`
}

// schemaName is the Go type's name, exported, with the face where two faces might clash.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if name == "" {
		name = hint
	}
	if name == "" {
		return ""
	}
	name = strings.ToUpper(name[:1]) + name[1:]
	if strings.HasSuffix(t.PkgPath(), "/admin") {
		name = "Admin" + name
	}
	return name
}

func setMethod(item *huma.PathItem, op *Operation, d *huma.Operation) error {
	switch op.Method {
	case "GET":
		item.Get = d
	case "PUT":
		item.Put = d
	case "POST":
		item.Post = d
	case "DELETE":
		item.Delete = d
	default:
		return fmt.Errorf("rest: %s: method %s is not supported", op.Name, op.Method)
	}
	return nil
}

func describe(op *Operation, registry huma.Registry) *huma.Operation {
	d := &huma.Operation{
		OperationID: op.Name, Summary: summary(op.Name),
		Tags: []string{tagOf(op)},
		Responses: map[string]*huma.Response{
			"default": {
				Description: "error",
				Headers:     map[string]*huma.Param{"x-amzn-ErrorType": {Schema: &huma.Schema{Type: huma.TypeString}}},
				Content: map[string]*huma.MediaType{
					mediaJSON: {Schema: &huma.Schema{Ref: "#/components/schemas/ErrorBody"}},
				},
			},
		},
	}
	if op.Permission != "" {
		d.Description = "Permission: " + op.Permission
	}
	ok := &huma.Response{Description: "success", Content: map[string]*huma.MediaType{}}
	d.Responses[strconv.Itoa(200)] = ok
	if op.raw != nil {
		describeRaw(op, d, ok)
		return d
	}
	for _, p := range op.binder.path {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: p.name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	for _, q := range op.binder.query {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: q.name, In: "query", Schema: huma.SchemaFromType(registry, op.req.Field(q.index).Type),
		})
	}
	if op.binder.hasBody {
		d.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			mediaJSON: {Schema: registry.Schema(op.req, true, op.Name+"Input")},
		}}
	}
	if op.resp.NumField() > 0 {
		ok.Content[mediaJSON] = &huma.MediaType{Schema: registry.Schema(op.resp, true, op.Name+"Output")}
	}
	return d
}

func describeRaw(op *Operation, d *huma.Operation, ok *huma.Response) {
	for _, label := range op.labels {
		d.Parameters = append(d.Parameters, &huma.Param{
			Name: label, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	if op.RequestType != "" {
		d.RequestBody = &huma.RequestBody{
			Required: true, Content: map[string]*huma.MediaType{op.RequestType: {Schema: binary}},
		}
	}
	if op.ResponseType != "" {
		ok.Content[op.ResponseType] = &huma.MediaType{Schema: binary}
	}
}

func tagOf(op *Operation) string {
	return strings.Split(strings.Trim(op.document+op.Path, "/"), "/")[0]
}

// summary makes words of an operation's name: DescribeQueue, describe queue.
func summary(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
