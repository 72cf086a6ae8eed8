package ivr

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

func library() Library {
	l := Library{Flows: NewService(newMemory()), Modules: NewModules(newMemory())}
	l.Flows.Finders = map[resource.Kind]Finder{
		resource.KindFlow:       FinderOf[*Flow](l.Flows.store, resource.KindFlow),
		resource.KindFlowModule: FinderOf[*Flow](l.Modules.store, resource.KindFlowModule),
	}
	l.Modules.Finders = l.Flows.Finders
	return l
}

func outcomes(list []Imported) (out []string) {
	for _, i := range list {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", i.Name, i.Type, i.Result, i.Status)))
	}
	return out
}

func TestAnImportReportsOnEachFlow(t *testing.T) {
	l := library()
	to := func(flow string) string {
		return doc(act("a", "TransferToFlow", fmt.Sprintf(`"ContactFlowId":%q`, flow), "!NoMatchingError>end"), act("end", "DisconnectParticipant", ""))
	}
	calls := doc(act("a", "InvokeFlowModule", `"FlowModuleId":"m"`, "end", "!NoMatchingError>end"), act("end", "DisconnectParticipant", ""))
	unknown := doc(act("a", "CreateCase", "", "end", "!NoMatchingError>end"), act("end", "DisconnectParticipant", ""))
	items := []Item{
		{Name: "first", Type: TypeInbound, Content: to("second")}, // names one that comes later
		{Name: "second", Type: TypeInbound, Content: calls},
		{Name: "m", Type: TypeModule, Content: moduleOf("x")},
		{Name: "case", Type: TypeInbound, Content: unknown},
		{Name: "lost", Type: TypeInbound, Content: to("nowhere")},
		{Name: "unfinished", Type: TypeInbound, Content: `{"draft":true}`},
		{Name: "draft", Type: TypeInbound, Content: hello("x"), Status: Saved},
		{Name: "broken", Type: TypeInbound, Content: `{`},
		{Name: "untyped", Content: hello("x")},
		{Name: "", Type: TypeInbound, Content: hello("x")},
		{Name: "old designer", Type: TypeInbound, Content: `{"modules":[],"version":"1","type":"contactFlow","start":"a","metadata":{}}`},
	}
	got, err := l.Import(t.Context(), "i-1", items)
	if err != nil {
		t.Fatal(err)
	}
	check(t, []string{
		"first CONTACT_FLOW created PUBLISHED", "second CONTACT_FLOW created PUBLISHED", "m FLOW_MODULE created PUBLISHED",
		"case CONTACT_FLOW created PUBLISHED", "lost CONTACT_FLOW created SAVED", "unfinished CONTACT_FLOW created SAVED",
		"draft CONTACT_FLOW created SAVED", "broken CONTACT_FLOW failed", "untyped  failed", "CONTACT_FLOW failed",
		"old designer CONTACT_FLOW created SAVED",
	}, outcomes(got))
	check(t, []string{"CreateCase"}, got[3].Unsupported)
	check(t, []string{"contact-flow nowhere"}, got[4].Unresolved)
	if !strings.Contains(got[4].Error, "nowhere") || !strings.Contains(got[10].Error, "needs at least one action") || got[0].Error != "" {
		t.Errorf("%q %q %q", got[0].Error, got[4].Error, got[10].Error)
	}
	// Again: what is there is left alone, and gets no version for nothing.
	if got, err = l.Import(t.Context(), "i-1", items[:4]); err != nil {
		t.Fatal(err)
	}
	check(t, []string{
		"first CONTACT_FLOW unchanged PUBLISHED", "second CONTACT_FLOW unchanged PUBLISHED", "m FLOW_MODULE unchanged PUBLISHED",
		"case CONTACT_FLOW unchanged PUBLISHED",
	}, outcomes(got))
	check(t, []string{"1"}, numbers(t, l.Flows, "first"))
	// Another content is another version; another type is refused.
	items[0].Content = to("case")
	items[1].Type = TypeCustomerHold
	if got, err = l.Import(t.Context(), "i-1", items[:2]); err != nil {
		t.Fatal(err)
	}
	check(t, []string{"first CONTACT_FLOW updated PUBLISHED", "second CUSTOMER_HOLD failed"}, outcomes(got))
	check(t, []string{"2", "1"}, numbers(t, l.Flows, "first"))
}

func TestAFileTellsWhatItIs(t *testing.T) {
	about := func(kind string) string {
		return `{"Version":"2019-10-30","Metadata":{"name":"Main","description":"d","type":"` + kind + `"}}`
	}
	for _, tt := range []struct{ file, content, want string }{
		{"x/y.json", about("contactFlow"), "Main CONTACT_FLOW d"},
		{"x/y.json", about("customerQueue"), "Main CUSTOMER_QUEUE d"},
		{"x/y.json", about("AGENT_TRANSFER"), "Main AGENT_TRANSFER d"},
		{"CUSTOMER_HOLD/y.json", about("something"), "Main CUSTOMER_HOLD d"},
		{"FLOW_MODULE/a%2Fb.json", "{}", "a/b FLOW_MODULE "},
		{"flow-modules/b.json", "{}", "b FLOW_MODULE "},
		{"b.json", "{", "b  "},
		{"b.json", `{"Metadata":{"name":1,"type":{}}}`, "b  "},
	} {
		i := FromFile(tt.file, tt.content)
		check(t, tt.want, fmt.Sprintf("%s %s %s", i.Name, i.Type, i.Description))
	}
}

// TestWhatIsExportedIsWhatWasImportedByteForByte holds for any JSON, through drafts, publication, versions and the zip.
func TestWhatIsExportedIsWhatWasImportedByteForByte(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l, other := library(), library()
		n := rapid.IntRange(1, 5).Draw(rt, "flows")
		want := map[string]string{}
		var items []Item
		for i := range n {
			text := rapid.StringN(0, 20, -1).Draw(rt, "text")
			quoted, err := json.Marshal(text)
			if err != nil {
				rt.Fatal(err)
			}
			space := rapid.SampledFrom([]string{"", " ", "\n", "\t", "\r\n", "  "})
			sp := func() string { return space.Draw(rt, "space") }
			content := sp() + "{" + sp() + `"Version":` + sp() + `"2019-10-30",` + sp() + `"StartAction":"e","Extra":` + string(quoted) + "," +
				`"Number":` + rapid.SampledFrom([]string{"1", "1.0", "1e2", "-0", "123456789012345678901234567890"}).Draw(rt, "number") +
				`,"Actions":[{"Type":"DisconnectParticipant",` + sp() + `"Identifier":"e","Parameters":{},"Transitions":{}}]}` + sp()
			name := fmt.Sprint("flow ", i, rapid.SampledFrom([]string{"", "/", "%2F", "..", "가", "?#"}).Draw(rt, "name"))
			items = append(items, Item{
				Name: name, Type: rapid.SampledFrom([]FlowType{TypeInbound, TypeCustomerQueue, TypeModule}).Draw(rt, "type"), Content: content,
				Status: rapid.SampledFrom([]Status{Saved, Published, ""}).Draw(rt, "status"),
			})
			want[name] = content
		}
		for _, to := range []Library{l, other} {
			got, err := to.Import(t.Context(), "i-1", items)
			if err != nil {
				rt.Fatal(err)
			}
			for _, g := range got {
				if g.Result != ImportCreated {
					rt.Fatalf("%+v", g)
				}
			}
			exported, err := to.Export(t.Context(), "i-1", false)
			if err != nil {
				rt.Fatal(err)
			}
			var z bytes.Buffer
			if err = WriteBundle(&z, exported); err != nil {
				rt.Fatal(err)
			}
			if items, err = ReadBundle(bytes.NewReader(z.Bytes()), int64(z.Len())); err != nil {
				rt.Fatal(err)
			}
			if len(items) != n {
				rt.Fatalf("%d of %d flows came out", len(items), n)
			}
			for _, i := range items {
				if i.Content != want[i.Name] {
					rt.Fatalf("%q: %q became %q", i.Name, want[i.Name], i.Content)
				}
			}
		}
	})
}

func TestBundlesAreBounded(t *testing.T) {
	pack := func(entries map[string]int) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, size := range entries {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = w.Write(bytes.Repeat([]byte(" "), size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	read := func(b []byte) ([]Item, error) { return ReadBundle(bytes.NewReader(b), int64(len(b))) }
	many := map[string]int{}
	for i := range maxBundleEntries + 1 {
		many[fmt.Sprint(i, ".json")] = 1
	}
	for name, tt := range map[string]struct {
		body []byte
		kind errs.Kind
	}{
		"no zip":         {[]byte("PK nonsense"), errs.Invalid},
		"a bomb":         {pack(map[string]int{"x.json": maxContentBytes + 1}), errs.Limit},
		"too many files": {pack(many), errs.Limit},
		"a bad manifest": {pack(map[string]int{manifestName: 3}), errs.Invalid},
	} {
		if _, err := read(tt.body); !errs.Is(err, tt.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	items, err := read(pack(map[string]int{"readme.txt": 1, "a/b.JSON": 1, "__MACOSX/a.json": 1, "a/.hidden.json": 1, "folder/": 0}))
	if err != nil || len(items) != 1 || items[0].Name != "b" {
		t.Errorf("%+v %v", items, err)
	}
}

func FuzzInspect(f *testing.F) {
	for _, a := range []string{act("a", "GetParticipantInput", `"Text":"x","StoreInput":"False"`, "", "=1>a", "!NoMatchingError>a"), act("a", "Wait", `"TimeoutSeconds":"1"`, "a")} {
		f.Add(doc(a), "CONTACT_FLOW") // small ones: whole flows take the fuzzer a minute to get used to
	}
	f.Add(doc(act("a", "InvokeFlowModule", `"FlowModuleId":"m:1"`, "a", "!NoMatchingError>a")), "FLOW_MODULE")
	f.Add(`{"Version":"2019-10-30","StartAction":"a","Actions":[{"Identifier":"a","Type":"X","Parameters":{"QueueId":"arn:/:"}}],"Metadata":{"ActionMetadata":{"a":{"parameters":{"QueueId":{"displayName":"q"}},"queue":[{"id":"arn:","text":"x"}]}}}}`, "CUSTOMER_QUEUE")
	f.Add(doc(act("a", "MessageParticipant", `"SSML":"<speak>$.Agent.x<b>$.['</speak>"`, "a")), "AGENT_HOLD")
	mod := flowOf(TypeModule, doc(act("a", "InvokeFlowModule", `"FlowModuleId":"m"`, "a", "!NoMatchingError>a")))
	known := shelf{"flow-module m": {ID: mod.ID, Name: "m", Flow: mod}, "queue q": {ID: "q"}}
	f.Fuzz(func(t *testing.T, content, kind string) {
		r := Inspect(content, FlowType(kind), known)
		for _, language := range []string{"ko", "en"} {
			r.Say(language)
			for _, finding := range r.Findings {
				if finding.Field == "" || finding.Rule == "" || strings.Contains(finding.Message, "%!") {
					t.Fatalf("%+v", finding)
				}
			}
		}
		if err := Check(content, FlowType(kind)); (err == nil) != (Inspect(content, FlowType(kind), nil).Count(Error) == 0) && err != nil {
			t.Fatalf("Check says %v, Inspect %v", err, found(r))
		}
		if d, err := DiffOf(content, content); err == nil && (!d.Same || !d.SameActions || len(d.Flow)+len(d.Changed) > 0) {
			t.Fatalf("a difference of nothing: %+v", d)
		}
		FromFile("x/y.json", content)
	})
}

func FuzzReadBundle(f *testing.F) {
	var b bytes.Buffer
	if err := WriteBundle(&b, []Item{{Name: "x", Type: TypeInbound, Content: "{}"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, body []byte) {
		if items, err := ReadBundle(bytes.NewReader(body), int64(len(body))); err != nil && !errs.Is(err, errs.Invalid) && !errs.Is(err, errs.Limit) {
			t.Fatalf("%d items, %v", len(items), err)
		}
	})
}
