package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

func TestARNsGoThereAndBack(t *testing.T) {
	for _, kind := range []resource.Kind{
		resource.KindQueue, resource.KindFlow, resource.KindUser, resource.KindPhoneNumber, resource.KindAgentStatus, KindContact,
	} {
		arn := resource.ARN("i1", kind, "x-1")
		if id, err := ResolveRef("i1", kind, arn); err != nil || id != "x-1" {
			t.Errorf("%s: %q %v", arn, id, err)
		}
	}
	if got, want := resource.ARN("i1", resource.KindQueue, "q"), "arn:aws:connect:local:000000000000:instance/i1/queue/q"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := resource.ARN("i1", resource.KindPhoneNumber, "n"), "arn:aws:connect:local:000000000000:phone-number/n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestReferences(t *testing.T) {
	for _, tt := range []struct {
		kind    resource.Kind
		ref     string
		want    string
		problem errs.Kind
	}{
		{resource.KindQueue, "q", "q", 0},
		{resource.KindQueue, "arn:aws:connect:us-east-1:123456789012:instance/i1/queue/q", "q", 0},
		{resource.KindQueue, "arn:aws-cn:connect:cn-north-1:1:instance/i1/queue/q", "q", 0},
		{resource.KindFlow, resource.ARN("i1", resource.KindFlow, "f:$SAVED"), "f:$SAVED", 0},
		{resource.KindInstance, "i1", "i1", 0},
		{resource.KindInstance, resource.ARN("i1", resource.KindInstance, ""), "i1", 0},
		{resource.KindInstance, "i2", "", errs.NotFound},
		{resource.KindInstance, resource.ARN("i2", resource.KindInstance, ""), "", errs.NotFound},
		{resource.KindInstance, "arn:aws:connect:local:0:instance/i1/queue/q", "", errs.NotFound},
		{resource.KindQueue, resource.ARN("i2", resource.KindQueue, "q"), "", errs.NotFound},
		{resource.KindQueue, resource.ARN("i1", resource.KindFlow, "q"), "", errs.NotFound},
		{resource.KindQueue, "arn:aws:connect:local:0:instance/i1/queue/q/more", "", errs.NotFound},
		{resource.KindQueue, "arn:aws:s3:::bucket", "", errs.Invalid},
		{resource.KindQueue, "arn:aws:connect", "", errs.Invalid},
		{resource.KindQueue, "", "", errs.Invalid},
		{resource.KindQueue, "a/b", "", errs.Invalid},
		{resource.KindQueue, "../x", "", errs.Invalid},
		{resource.KindQueue, "a b", "", errs.Invalid},
		{resource.KindQueue, "a\nb", "", errs.Invalid},
		{resource.KindQueue, "ä", "", errs.Invalid},
		{resource.KindQueue, strings.Repeat("x", 257), "", errs.Invalid},
	} {
		got, err := ResolveRef("i1", tt.kind, tt.ref)
		if got != tt.want || tt.problem == 0 && err != nil || tt.problem != 0 && !errs.Is(err, tt.problem) {
			t.Errorf("%s %q: %q, %v", tt.kind, tt.ref, got, err)
		}
	}
}

func TestTimesAreEpochSeconds(t *testing.T) {
	for text, want := range map[string]time.Time{
		"1700000000":             time.Unix(1700000000, 0),
		"1700000000.25":          time.UnixMilli(1700000000250),
		"1.7e9":                  time.Unix(1700000000, 0),
		`"2023-11-14T22:13:20Z"`: time.Unix(1700000000, 0),
	} {
		var got Time
		if err := json.Unmarshal([]byte(text), &got); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, bad := range []string{`"yesterday"`, "1e300", "true", `{}`} {
		var got Time
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s became %v", bad, got)
		}
	}
	b, err := json.Marshal(struct {
		A Time `json:"a"`
		B Time `json:"b,omitzero"`
	}{A: At(time.UnixMilli(1700000000250))})
	if err != nil || string(b) != `{"a":1700000000.25}` {
		t.Errorf("%s %v", b, err)
	}
}

func TestEveryKindOfErrorHasItsAWSName(t *testing.T) {
	for kind, want := range map[errs.Kind]string{
		errs.Internal: "500 InternalServiceException", errs.Invalid: "400 InvalidParameterException",
		errs.InvalidRequest: "400 InvalidRequestException", errs.NotFound: "404 ResourceNotFoundException",
		errs.Duplicate: "409 DuplicateResourceException", errs.Conflict: "409 ResourceConflictException",
		errs.InUse: "409 ResourceInUseException", errs.Denied: "403 AccessDeniedException",
		errs.Unauthenticated: "403 UnrecognizedClientException", errs.Limit: "429 LimitExceededException",
		errs.Throttled: "429 ThrottlingException", errs.Unavailable: "503 ServiceUnavailableException",
		errs.Kind(99): "500 InternalServiceException",
	} {
		f := FaultOf(fmt.Errorf("outer: %w", errs.New(kind, "text %s", kind)))
		if got := fmt.Sprint(f.Status, " ", f.Code); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
		if shown := f.Message == "text "+kind.String(); shown == (f.Status == 500) {
			t.Errorf("%s: message %q", kind, f.Message)
		}
	}
	if f := FaultOf(errors.New("secret detail")); f.Status != 500 || strings.Contains(f.Message, "secret") {
		t.Errorf("%+v", f)
	}
	if f := FaultOf(errs.Field("Config[2].Day", "must be a day")); f.Message != "Config[2].Day must be a day" {
		t.Errorf("%s", f.Message)
	}
}

// everybody lets all in, as a user of instance i1 who may do everything.
type everybody struct{}

func (everybody) Authenticate(*http.Request, int64) (*identity.Principal, error) {
	return &identity.Principal{InstanceID: "i1", UserID: "u1", Username: "u", Permissions: map[string]bool{"P": true}}, nil
}

type echoInput struct {
	Thing   string   `json:"-" path:"Thing"`
	Max     int      `json:"-" query:"max"`
	Flag    bool     `json:"-" query:"flag"`
	List    []string `json:"-" query:"list"`
	Queue   string   `json:"-" query:"queue" ref:"queue"`
	Name    string   `json:"Name"`
	Nested  *nested  `json:"Nested,omitempty"`
	Queues  []string `json:"Queues,omitempty" ref:"queue"`
	Nothing Unsupported
}

type nested struct {
	ID    *string           `json:"Id" ref:"queue"`
	Notes map[string]string `json:"Notes,omitempty"`
	Lines []string          `json:"Lines,omitempty"`
}

type echoOutput struct {
	In echoInput
	// What json:"-" hides.
	Thing, Queue string
	Max          int
	Flag         bool
	List         []string
}

func echoServer(t *testing.T, strict bool) *Server {
	t.Helper()
	table := &Table{Strict: strict}
	Op(table, "Echo", "POST", "/echo/{Thing}", "P", func(_ context.Context, _ *Call, in *echoInput) (*echoOutput, error) {
		return &echoOutput{*in, in.Thing, in.Queue, in.Max, in.Flag, in.List}, nil
	})
	Op(table, "Fixed", "GET", "/echo/fixed", "", func(context.Context, *Call, *Empty) (*Empty, error) {
		return &Empty{}, nil
	})
	s, err := NewServer(Options{Auth: everybody{}}, Mount{"", table})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRequestsAreDecoded(t *testing.T) {
	arn := resource.ARN("i1", resource.KindQueue, "q1")
	for _, tt := range []struct {
		name, target, body string
		strict             bool
		want               string // part of the answer
		status             int
	}{
		{
			"all", "/echo/a%2Fb%20%EC%9A%B8?max=3&flag=true&list=x&list=y&queue=" + strings.ReplaceAll(arn, "/", "%2F"),
			`{"Name":"n","Queues":["` + arn + `","q2"],"Nested":{"Id":"` + arn + `","Notes":{"k":"a\nb"}}}`, false,
			`"Name":"n","Nested":{"Id":"q1","Notes":{"k":"a\nb"}},"Queues":["q1","q2"],"Nothing":null},` +
				`"Thing":"a/b 울","Queue":"q1","Max":3,"Flag":true,"List":["x","y"]}`, 200,
		},
		{"label wins where no method fits", "/echo/other", `{"Name":"n"}`, false, `"Thing":"other"`, 200},
		{"unknown member", "/echo/a", `{"Name":"n","New":1}`, false, `"Name":"n"`, 200},
		{"unknown member, strict", "/echo/a", `{"Name":"n","New":1}`, true, `unknown field`, 400},
		{"required", "/echo/a", `{}`, false, `Name is required`, 400},
		{"required inside", "/echo/a", `{"Name":"n","Nested":{}}`, false, `Nested.Id is required`, 400},
		{"another's queue inside", "/echo/a", `{"Name":"n","Nested":{"Id":"` + resource.ARN("i2", "queue", "x") + `"}}`, false, `queue not found`, 404},
		{"control characters in a map", "/echo/a", `{"Name":"n","Nested":{"Id":"x","Notes":{"a\u0007":"b"}}}`, false, `Nested.Notes must not`, 400},
		{"control characters in a list", "/echo/a", `{"Name":"n","Nested":{"Id":"x","Lines":["ok","\u001b"]}}`, false, `Nested.Lines[1] must not`, 400},
		{"unsupported", "/echo/a", `{"Name":"n","Nothing":[1]}`, false, `is not supported`, 400},
		{"unsupported but empty", "/echo/a", `{"Name":"n","Nothing":[]}`, false, `"Name":"n"`, 200},
		{"number", "/echo/a?max=x", `{"Name":"n"}`, false, `max must be a whole number`, 400},
		{"number twice", "/echo/a?max=1&max=2", `{"Name":"n"}`, false, `max must be given once`, 400},
		{"flag", "/echo/a?flag=maybe", `{"Name":"n"}`, false, `flag must be true or false`, 400},
		{"control in label", "/echo/a%0Ab", `{"Name":"n"}`, false, `Thing must be text`, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.target, strings.NewReader(tt.body))
			w := httptest.NewRecorder()
			echoServer(t, tt.strict).ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, tt.status, tt.want)
			}
		})
	}
}

func TestMistakesInRegistrationsAreFoundAtOnce(t *testing.T) {
	type noLabel struct{}
	type wrongLabel struct {
		X string `json:"-" path:"Y"`
	}
	type inBody struct {
		X string `path:"X"`
	}
	type badQuery struct {
		X string            `json:"-" path:"X"`
		Q map[string]string `json:"-" query:"q"`
	}
	register := func(add func(*Table)) error {
		table := &Table{}
		add(table)
		_, err := NewServer(Options{Auth: everybody{}}, Mount{"", table})
		return err
	}
	const path = "/a/{X}"
	for name, add := range map[string]func(*Table){
		"no label":    func(t *Table) { Op(t, "A", "GET", path, "", none[noLabel]) },
		"wrong label": func(t *Table) { Op(t, "A", "GET", path, "", none[wrongLabel]) },
		"in body":     func(t *Table) { Op(t, "A", "GET", path, "", none[inBody]) },
		"query":       func(t *Table) { Op(t, "A", "GET", path, "", none[badQuery]) },
		"twice": func(t *Table) {
			Op(t, "A", "GET", "/a", "", none[Empty])
			Op(t, "B", "GET", "/a", "", none[Empty])
		},
		"method": func(t *Table) { Op(t, "A", "PATCH", "/a", "", none[Empty]) },
	} {
		if err := register(add); err == nil {
			t.Errorf("%s was registered", name)
		}
	}
	if err := register(func(t *Table) { Op(t, "A", "GET", "/a", "", none[Empty]) }); err != nil {
		t.Error(err)
	}
}

func none[T any](context.Context, *Call, *T) (*Empty, error) { return &Empty{}, nil }

func TestObserversSeeEveryRequest(t *testing.T) {
	table := &Table{}
	Op(table, "A", "GET", "/a", "", none[Empty])
	var seen []string
	s, err := NewServer(Options{Auth: everybody{}, Observe: func(op string, status int, _ time.Duration) {
		seen = append(seen, fmt.Sprint(op, " ", status))
	}}, Mount{"", table})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a", "/b", "/a/"} {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	}
	if d := cmp.Diff([]string{"A 200", " 404", "A 200"}, seen); d != "" {
		t.Error(d)
	}
}

func FuzzResolveRef(f *testing.F) {
	f.Add("arn:aws:connect:local:0:instance/i1/queue/q")
	f.Add("arn:aws:connect:local:0:phone-number/q")
	f.Add("i1")
	f.Fuzz(func(t *testing.T, ref string) {
		for _, kind := range []resource.Kind{resource.KindQueue, resource.KindPhoneNumber, resource.KindInstance} {
			id, err := ResolveRef("i1", kind, ref)
			if err != nil {
				continue
			}
			if id == "" || len(id) > 256 || strings.ContainsAny(id, "/\x00\n ") || kind == resource.KindInstance && id != "i1" {
				t.Fatalf("%s %q gave %q", kind, ref, id)
			}
			again, err := ResolveRef("i1", kind, resource.ARN("i1", kind, id))
			if err != nil || again != id {
				t.Fatalf("%q: %q %v", id, again, err)
			}
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add("/echo/a?max=1", `{"Name":"n","Nested":{"Id":"x"}}`)
	f.Add("/echo/%zz", `{"Name":`)
	f.Add("/echo/a%2F?list=%00&queue=arn:", "[[[[")
	f.Fuzz(func(t *testing.T, target, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.RequestURI = target
		path, query, _ := strings.Cut(target, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		w := httptest.NewRecorder()
		echoServer(t, false).ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Fatalf("%q %q: %s", target, body, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q %q: not JSON: %s", target, body, w.Body)
		}
	})
}
