package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/api"
	"ullim/internal/api/connect"
	"ullim/internal/identity"
	"ullim/internal/resource"

	"ullim/acd"
)

func TestTheEndpointMayHaveThePrefixOrNot(t *testing.T) {
	w := newWorld(t)
	for _, endpoint := range []string{w.server.URL, w.server.URL + "/", w.server.URL + "/connect", w.server.URL + "/connect/"} {
		c := w.clientAt("admin", endpoint)
		got, err := c.DescribeQueue(t.Context(), &awsconnect.DescribeQueueInput{InstanceId: aws.String(ours), QueueId: aws.String(w.queue)})
		if err != nil || *got.Queue.Name != "BasicQueue" {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestBadSignaturesAreRefusedAlike(t *testing.T) {
	w := newWorld(t)
	good := *w.keys["admin"]
	w.keys["wrong secret"] = &identity.NewKey{ID: good.ID, Secret: strings.Repeat("x", 40)}
	w.keys["no such key"] = &identity.NewKey{ID: "AKIA" + strings.Repeat("Z", 16), Secret: good.Secret}
	var texts []string
	for _, who := range []string{"wrong secret", "no such key"} {
		_, err := w.client(who).ListInstances(t.Context(), nil)
		wantCode(t, err, "UnrecognizedClientException")
		texts = append(texts, regexp.MustCompile(`RequestID: [0-9a-f-]+`).ReplaceAllString(err.Error(), ""))
	}
	if texts[0] != texts[1] {
		t.Errorf("a known key can be told from an unknown one: %v", texts)
	}
	if strings.Contains(w.log.String(), good.Secret) {
		t.Error("the secret is in the log")
	}
	for name, header := range map[string]string{
		"nonsense": "AWS4-HMAC-SHA256 nonsense", "basic": "Basic YTpi", "empty bearer": "Bearer ", "empty scheme": " ",
	} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/instance", nil)
		req.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, req)
		if rec.Code != http.StatusForbidden || rec.Header().Get("x-amzn-ErrorType") != "IncompleteSignatureException" {
			t.Errorf("%s: %d %v", name, rec.Code, rec.Header())
		}
	}
}

func TestBodiesAreBoundedAndChecked(t *testing.T) {
	w := newWorld(t)
	path := "/queues/" + ours
	deep := strings.Repeat("[", 33) + strings.Repeat("]", 33)
	for name, tt := range map[string]struct {
		body, code string
		status     int
	}{
		"too large":            {`{"Name":"` + strings.Repeat("x", 3<<20) + `"}`, "RequestEntityTooLargeException", 413},
		"too deep":             {`{"Name":"z","HoursOfOperationId":"` + w.hours + `","New":` + deep + `}`, "SerializationException", 400},
		"cut off":              {`{"Name":"x"`, "SerializationException", 400},
		"not an object":        {`["Name"]`, "SerializationException", 400},
		"something behind":     {`{"Name":"x","HoursOfOperationId":"y"} {}`, "SerializationException", 400},
		"not UTF-8":            {"{\"Name\":\"\xff\"}", "SerializationException", 400},
		"wrong type":           {`{"Name":5}`, "SerializationException", 400},
		"number too large":     {`{"Name":"x","HoursOfOperationId":"` + w.hours + `","MaxContacts":1e99}`, "SerializationException", 400},
		"empty":                {``, "InvalidParameterException", 400},
		"missing":              {`{"Name":"x"}`, "InvalidParameterException", 400},
		"escape sequence":      {`{"Name":"\u001b[31mred","HoursOfOperationId":"` + w.hours + `"}`, "InvalidParameterException", 400},
		"zero byte":            {`{"Name":"x","Description":"\u0000","HoursOfOperationId":"` + w.hours + `"}`, "InvalidParameterException", 400},
		"id with a path in it": {`{"Name":"x","HoursOfOperationId":"../../etc/passwd"}`, "InvalidParameterException", 400},
		"brackets in a string": {`{"Name":"` + strings.Repeat("[", 100) + `","HoursOfOperationId":"` + w.hours + `"}`, "", 200},
		"unknown members":      {`{"Name":"y","HoursOfOperationId":"` + w.hours + `","SomethingNew":{"A":1}}`, "", 200},
	} {
		status, code, answer := w.do("admin", "PUT", path, tt.body)
		if status != tt.status || code != tt.code {
			t.Errorf("%s: %d %s %.200s", name, status, code, answer)
		}
	}
	// A form that a page of somebody else's could send without asking.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.server.URL+path, strings.NewReader(`{"Name":"x"}`))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+w.keys["admin"].Token)
	req.Header.Set("Content-Type", "text/plain")
	resp, err := w.server.Client().Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("x-amzn-ErrorType") != "SerializationException" {
		t.Errorf("text/plain: %d", resp.StatusCode)
	}
}

func TestALargeSignedBodyMustDeclareItsHash(t *testing.T) {
	w := newWorld(t)
	_, err := w.client("admin").CreateQueue(t.Context(), &awsconnect.CreateQueueInput{
		InstanceId: aws.String(ours), Name: aws.String("x"), HoursOfOperationId: aws.String(w.hours),
		Description: aws.String(strings.Repeat("x", 3<<20)),
	})
	wantCode(t, err, "RequestEntityTooLargeException")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		method, path, allow string
		status              int
	}{
		{"GET", "/", "", 404},
		{"GET", "/nothing", "", 404},
		{"GET", "/queues", "", 404},
		{"GET", "/connect", "", 404},
		{"GET", "/queues//x", "", 404},
		{"GET", "/queues/" + ours + "/../x", "", 404},
		{"GET", "/queues/" + ours + "/%2e%2e/name", "", 404},
		{"GET", "/queues/" + ours + "/%zz", "", 400},
		{"GET", "/queues/" + ours + "/" + "x/name/more", "", 404},
		{"PATCH", "/queues/" + ours, "PUT", 405},
		{"GET", "/queues/" + ours + "/x/name", "POST", 405},
		{"TRACE", "/users/" + ours + "/x", "DELETE, GET", 405},
		{"POST", "/healthz", "GET, HEAD", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, w.server.URL+"/", nil)
		must(t, err)
		req.URL.Opaque = strings.TrimPrefix(w.server.URL, "http:") + tt.path // as it is, whatever it is
		resp, err := w.server.Client().Do(req)
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow %q", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Allow"))
		}
		if tt.status != 400 && resp.Header.Get("x-amzn-ErrorType") != "UnknownOperationException" {
			t.Errorf("%s %s: %s", tt.method, tt.path, resp.Header.Get("x-amzn-ErrorType"))
		}
	}
}

// brokenQueues fails in the ways that a store should not.
type brokenQueues struct {
	resource.Store[*acd.Queue]
	fail func() error
}

func (b brokenQueues) Get(context.Context, string, string) (*acd.Queue, error) { return nil, b.fail() }

func TestInnerFailuresStayInside(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("pq: password authentication failed for user secret") },
		"panic": func() error { panic("secret") },
	} {
		w := newWorld(t)
		w.o.Connect.Queues = brokenQueues{w.o.Connect.Queues, fail}
		handler, err := api.New(w.o)
		must(t, err)
		w.server.Config.Handler = handler
		_, err = w.client("admin").DescribeQueue(t.Context(), &awsconnect.DescribeQueueInput{
			InstanceId: aws.String(ours), QueueId: aws.String(w.queue),
		})
		e := wantError[*types.InternalServiceException](t, err)
		if e == nil || strings.Contains(e.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(w.log.String(), "secret") {
			t.Errorf("%s: the log does not have it", name)
		}
	}
}

func TestHealthIsForThisMachineAndForThoseWhoAuthenticate(t *testing.T) {
	w := newWorld(t)
	w.person(ours, w.routing, "agent", w.profile[identity.ProfileAgent])
	get := func(path, from, who string, header ...string) (int, string) {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		req.RemoteAddr = from
		if who != "" {
			req.Header.Set("Authorization", "Bearer "+w.keys[who].Token)
		}
		for _, h := range header {
			req.Header.Set(h, "192.0.2.1")
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, req)
		return rec.Code, rec.Body.String()
	}
	const here, away = "127.0.0.1:5", "192.0.2.1:5"
	for _, tt := range []struct {
		path, from, who string
		header          []string
		want            int
	}{
		{"/healthz", here, "", nil, 200},
		{"/readyz", "[::1]:5", "", nil, 200},
		{"/metrics", here, "", nil, 200},
		{"/metrics", here, "", []string{"X-Forwarded-For"}, 403},
		{"/metrics", here, "", []string{"Forwarded"}, 403},
		{"/healthz", away, "", nil, 403},
		{"/healthz", away, "agent", nil, 200},
		{"/metrics", away, "agent", nil, 403},
		{"/metrics", away, "admin", nil, 200},
		{"/openapi.json", away, "", nil, 200},
	} {
		if got, body := get(tt.path, tt.from, tt.who, tt.header...); got != tt.want {
			t.Errorf("%s from %s as %q: %d %s", tt.path, tt.from, tt.who, got, body)
		}
	}
	w.ready = errors.New("draining")
	if got, body := get("/readyz", here, ""); got != 503 || body != "not ready: draining\n" {
		t.Errorf("while draining: %d %s", got, body)
	}
	if got, _ := get("/healthz", here, ""); got != 200 {
		t.Errorf("health while draining: %d", got)
	}
	if _, body := get("/metrics", here, ""); body != "ullim_up 1\n" {
		t.Errorf("metrics: %s", body)
	}
}

func TestChangesAreAudited(t *testing.T) {
	w := newWorld(t)
	_, err := w.client("admin").UpdateQueueName(t.Context(), &awsconnect.UpdateQueueNameInput{
		InstanceId: aws.String(ours), QueueId: aws.String(w.queue), Name: aws.String("New"),
	})
	must(t, err)
	_, err = w.client("admin").DeleteQueue(t.Context(), &awsconnect.DeleteQueueInput{InstanceId: aws.String(ours), QueueId: aws.String(w.queue)})
	wantError[*types.ResourceInUseException](t, err)
	_, err = w.client("admin").ListQueues(t.Context(), &awsconnect.ListQueuesInput{InstanceId: aws.String(ours)})
	must(t, err)
	var lines []string
	for line := range strings.Lines(w.log.String()) {
		var l map[string]any
		must(t, json.Unmarshal([]byte(line), &l))
		if l["msg"] == "audit" {
			if l["user"] != "admin" || l["instance_id"] != ours || l["QueueId"] != w.queue || l["source"] != "127.0.0.1" {
				t.Errorf("%s", line)
			}
			lines = append(lines, l["operation"].(string)+" "+l["outcome"].(string))
		}
	}
	if want := []string{"UpdateQueueName done", "DeleteQueue ResourceInUseException"}; !slices.Equal(lines, want) {
		t.Errorf("audited %v, want %v", lines, want)
	}
}

func TestTheOpenAPIDocumentHasEveryOperation(t *testing.T) {
	w := newWorld(t)
	var doc map[string]any
	must(t, json.Unmarshal(w.handler.OpenAPI(), &doc))
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi %v", doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	ids := map[string]bool{}
	for prefix, ops := range w.operations() {
		if prefix == "" {
			continue
		}
		for _, op := range ops {
			item, ok := paths[prefix+op.Path].(map[string]any)
			if !ok {
				t.Errorf("%s is missing", op.Name)
				continue
			}
			d, ok := item[strings.ToLower(op.Method)].(map[string]any)
			if !ok || d["operationId"] != op.Name || ids[op.Name] {
				t.Errorf("%s: %v", op.Name, d)
			}
			ids[op.Name] = true
			// Every label of the path is a parameter.
			var labels []string
			params, _ := d["parameters"].([]any)
			for _, p := range params {
				if m := p.(map[string]any); m["in"] == "path" {
					labels = append(labels, m["name"].(string))
				}
			}
			for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(op.Path, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: label %s is no parameter", op.Name, m[1])
				}
			}
		}
	}
	if len(ids) < 80 {
		t.Errorf("only %d operations", len(ids))
	}
	// Every reference leads somewhere.
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				if _, ok = schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !ok {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range v {
				follow(e)
			}
		case []any:
			for _, e := range v {
				follow(e)
			}
		}
	}
	follow(doc)
	queue := schemas["CreateQueueInput"].(map[string]any)
	if got := queue["required"]; len(got.([]any)) != 2 {
		t.Errorf("CreateQueueInput requires %v", got)
	}
	if _, closed := queue["additionalProperties"]; closed {
		t.Error("Connect inputs are open")
	}
}

// The paths, methods and query names of the Connect face are those of the SDK's own source.
func TestPathsAreThoseOfTheServiceModel(t *testing.T) {
	w := newWorld(t)
	table, err := connect.Table(w.o.Connect)
	must(t, err)
	source := sdkSource(t)
	for _, op := range table.Operations() {
		_, body, ok := strings.Cut(source, "func (m *awsRestjson1_serializeOp"+op.Name+") HandleSerialize(")
		if !ok {
			t.Errorf("%s is not an operation of Connect", op.Name)
			continue
		}
		body, _, _ = strings.Cut(body, "\n}\n")
		path := regexp.MustCompile(`SplitURI\("([^"]+)"\)`).FindStringSubmatch(body)
		method := regexp.MustCompile(`request\.Method = "([A-Z]+)"`).FindStringSubmatch(body)
		if path == nil || method == nil || path[1] != op.Path || method[1] != op.Method {
			t.Errorf("%s: %s %s, the model has %v %v", op.Name, op.Method, op.Path, method, path)
		}
	}
}

func sdkSource(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/aws/aws-sdk-go-v2/service/connect").Output()
	must(t, err)
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "serializers.go"))
	must(t, err)
	return string(b)
}
