package api_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/aws/aws-sdk-go-v2/service/connect/types"

	"ullim/internal/resource"
)

// wav is a tenth of a second of silence.
func wav() []byte { return wavOf(1600) }

// wavOf is so many bytes of silence.
func wavOf(n int) []byte {
	var b bytes.Buffer
	pcm := make([]byte, n)
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+len(pcm)))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(len(pcm)))
	b.Write(pcm)
	return b.Bytes()
}

// zipped is a zip of files.
func zipped(files map[string]string) string {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(files[name]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func TestPromptsThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	inline := "data:audio/wav;base64," + base64.StdEncoding.EncodeToString(wav())
	create := func(name, uri string) (*awsconnect.CreatePromptOutput, error) {
		return c.CreatePrompt(ctx, &awsconnect.CreatePromptInput{
			InstanceId: aws.String(ours), Name: aws.String(name), S3Uri: aws.String(uri), Description: aws.String("d"),
		})
	}
	files := func(want int, when string) {
		t.Helper()
		if n := w.blobs.count(); n != want {
			t.Errorf("%d files %s, want %d", n, when, want)
		}
	}
	_, err := create("x", "s3://bucket/key.wav")
	wantError[*types.InvalidParameterException](t, err)
	_, err = create("x", "http://169.254.169.254/latest")
	wantError[*types.InvalidParameterException](t, err)
	_, err = create("x", "data:audio/wav;base64,"+base64.StdEncoding.EncodeToString([]byte("not a wav")))
	wantError[*types.InvalidParameterException](t, err)
	first, err := create("Inline", inline)
	must(t, err)
	files(1, "at first")
	_, err = create("Inline", inline)
	wantError[*types.DuplicateResourceException](t, err)
	_, err = create("Inline", "data:audio/wav;base64,"+base64.StdEncoding.EncodeToString(wavOf(3200)))
	wantError[*types.DuplicateResourceException](t, err)
	files(1, "after prompts were refused: only what is needed is kept")
	second, err := create("Later", "upload:")
	must(t, err)
	w.admin("admin", "PUT", "/prompts/"+*second.PromptId+"/audio", string(wav()), nil)
	files(1, "after the same was uploaded again")
	w.admin("admin", "PUT", "/prompts/"+*second.PromptId+"/audio", string(wavOf(3200)), nil)
	files(2, "after another was uploaded")
	stored, err := w.o.Connect.Prompts.Get(ctx, ours, *second.PromptId)
	must(t, err)
	if !strings.HasPrefix(stored.Key, "connect/acme/Prompts/") || !bytes.Equal(w.blobs.files[stored.Key], wavOf(3200)) || stored.File.Millis != 200 {
		t.Errorf("%+v", stored)
	}
	if status, name, _ := w.do("admin", "PUT", "/admin/v1/prompts/"+*second.PromptId+"/audio", "noise"); status != 400 ||
		name != "InvalidParameterException" {
		t.Errorf("noise was taken: %d %s", status, name)
	}
	file, err := c.GetPromptFile(ctx, &awsconnect.GetPromptFileInput{InstanceId: aws.String(ours), PromptId: first.PromptId})
	must(t, err)
	if *file.PromptPresignedUrl != inline {
		t.Errorf("the file comes back as %.60s", *file.PromptPresignedUrl)
	}
	_, err = c.UpdatePrompt(ctx, &awsconnect.UpdatePromptInput{
		InstanceId: aws.String(ours), PromptId: second.PromptARN, Name: aws.String("Now"), S3Uri: aws.String(inline),
	})
	must(t, err)
	files(1, "after the change: the old audio should go")
	got, err := c.DescribePrompt(ctx, &awsconnect.DescribePromptInput{InstanceId: aws.String(ours), PromptId: second.PromptId})
	must(t, err)
	if p := got.Prompt; *p.Name != "Now" || *p.Description != "d" || *p.PromptARN != resource.ARN(ours, resource.KindPrompt, *p.PromptId) {
		t.Errorf("%+v", p)
	}
	list, err := c.ListPrompts(ctx, &awsconnect.ListPromptsInput{InstanceId: aws.String(ours)})
	must(t, err)
	if len(list.PromptSummaryList) != 2 {
		t.Errorf("list %+v", list.PromptSummaryList)
	}
	for i, id := range []*string{first.PromptId, second.PromptId} {
		_, err = c.DeletePrompt(ctx, &awsconnect.DeletePromptInput{InstanceId: aws.String(ours), PromptId: id})
		must(t, err)
		files(1-i, "after a prompt was deleted")
	}
}

func TestPromptsOfEveryFormatThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	for file, media := range map[string]string{"mono44.mp3": "audio/mpeg", "tone.ogg": "audio/ogg", "tone.flac": "audio/flac"} {
		data, err := os.ReadFile("../../prompts/sound/testdata/" + file)
		must(t, err)
		uri := "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(data)
		made, err := c.CreatePrompt(ctx, &awsconnect.CreatePromptInput{InstanceId: aws.String(ours), Name: aws.String(file), S3Uri: &uri})
		must(t, err)
		got, err := c.GetPromptFile(ctx, &awsconnect.GetPromptFileInput{InstanceId: aws.String(ours), PromptId: made.PromptId})
		must(t, err)
		if *got.PromptPresignedUrl != uri {
			t.Errorf("%s comes back as %.60s", file, *got.PromptPresignedUrl)
		}
	}
}

func TestPromptsAreSearchedThroughTheSDK(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client("admin"), t.Context()
	for name, team := range map[string]string{"Welcome": "a", "Welcome back": "b", "Goodbye": "a"} {
		_, err := c.CreatePrompt(ctx, &awsconnect.CreatePromptInput{
			InstanceId: aws.String(ours), Name: aws.String(name), S3Uri: aws.String("upload:"), Description: aws.String("said by " + team),
			Tags: map[string]string{"team": team},
		})
		must(t, err)
	}
	text := func(field, value string, how types.StringComparisonType) *types.PromptSearchCriteria {
		return &types.PromptSearchCriteria{StringCondition: &types.StringCondition{FieldName: &field, Value: &value, ComparisonType: how}}
	}
	for name, tt := range map[string]struct {
		criteria *types.PromptSearchCriteria
		filter   *types.PromptSearchFilter
		want     []string
	}{
		"everything":  {nil, nil, []string{"Goodbye", "Welcome", "Welcome back"}},
		"a beginning": {text("name", "welcome", types.StringComparisonTypeStartsWith), nil, []string{"Welcome", "Welcome back"}},
		"exactly":     {text("name", "WELCOME", types.StringComparisonTypeExact), nil, []string{"Welcome"}},
		"words":       {text("description", "by b", types.StringComparisonTypeContains), nil, []string{"Welcome back"}},
		"one of two": {
			&types.PromptSearchCriteria{OrConditions: []types.PromptSearchCriteria{
				*text("name", "good", types.StringComparisonTypeStartsWith), *text("name", "back", types.StringComparisonTypeContains),
			}}, nil, []string{"Goodbye", "Welcome back"},
		},
		"both": {
			&types.PromptSearchCriteria{AndConditions: []types.PromptSearchCriteria{
				*text("name", "wel", types.StringComparisonTypeStartsWith), *text("description", "a", types.StringComparisonTypeExact),
			}}, nil, nil,
		},
		"a tag": {nil, &types.PromptSearchFilter{TagFilter: &types.ControlPlaneTagFilter{
			TagCondition: &types.TagCondition{TagKey: aws.String("team"), TagValue: aws.String("a")},
		}}, []string{"Goodbye", "Welcome"}},
	} {
		var names []string
		in := &awsconnect.SearchPromptsInput{InstanceId: aws.String(ours), SearchCriteria: tt.criteria, SearchFilter: tt.filter, MaxResults: aws.Int32(1)}
		for p := awsconnect.NewSearchPromptsPaginator(c, in); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			must(t, err)
			if *page.ApproximateTotalCount != int64(len(tt.want)) {
				t.Errorf("%s: %d in all", name, *page.ApproximateTotalCount)
			}
			for _, one := range page.Prompts {
				names = append(names, *one.Name)
			}
		}
		if slices.Sort(names); !slices.Equal(names, tt.want) {
			t.Errorf("%s: %v, want %v", name, names, tt.want)
		}
	}
	_, err := c.SearchPrompts(ctx, &awsconnect.SearchPromptsInput{
		InstanceId: aws.String(ours), SearchCriteria: text("colour", "x", types.StringComparisonTypeExact),
	})
	wantError[*types.InvalidParameterException](t, err)
}

func TestAPromptHasAFileForEachLanguage(t *testing.T) {
	w := newWorld(t)
	w.admin("admin", "POST", "/prompts-bulk", zipped(map[string]string{"Welcome.wav": string(wav())}), nil)
	p, err := w.o.Connect.Prompts.GetByName(t.Context(), ours, "Welcome")
	must(t, err)
	one := "/prompts/" + p.ID + "/audio"
	w.admin("admin", "PUT", one+"/ko_kr", string(wavOf(3200)), nil)
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", one + "/korean-language", string(wav()), 400},
		{"PUT", one + "/en", "noise", 400},
		{"GET", one + "/de", "", 404},
		{"DELETE", one + "/de", "", 404},
		{"GET", one + "/ko-KR", "", 200},
		{"GET", one, "", 200},
	} {
		if status, _, _ := w.do("admin", tt.method, "/admin/v1"+tt.path, tt.body); status != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, status, tt.status)
		}
	}
	var about struct {
		File     struct{ Milliseconds int }
		Variants map[string]struct {
			Format       string
			Milliseconds int
		}
	}
	_, _, answer := w.do("admin", "GET", "/admin/v1/prompts/"+p.ID+"/files", "")
	must(t, json.Unmarshal(answer, &about))
	if v := about.Variants["ko-KR"]; about.File.Milliseconds != 100 || v.Milliseconds != 200 || v.Format != "wav" || len(about.Variants) != 1 {
		t.Errorf("%s", answer)
	}
	w.admin("admin", "DELETE", one+"/ko-KR", "", nil)
	if w.blobs.count() != 1 {
		t.Errorf("%d files are left", w.blobs.count())
	}
}

func TestManyPromptsAreUploadedAtOnce(t *testing.T) {
	w := newWorld(t)
	upload := func(files map[string]string) (results map[string]string, failed int) {
		t.Helper()
		status, _, answer := w.do("admin", "POST", "/admin/v1/prompts-bulk", zipped(files))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		var out struct {
			Results []struct{ File, Status, Name, Language, Error string }
			Failed  int
		}
		must(t, json.Unmarshal(answer, &out))
		results = map[string]string{}
		for _, r := range out.Results {
			results[r.File] = strings.TrimSpace(r.Status + " " + r.Name + " " + r.Language)
			if (r.Status == "FAILED") != (r.Error != "") {
				t.Errorf("%+v", r)
			}
		}
		return results, out.Failed
	}
	got, failed := upload(map[string]string{
		"Welcome.wav": string(wav()), "ko-KR/Welcome.wav": string(wavOf(3200)), "menu/Goodbye@en-GB.wav": string(wav()),
		"noise.wav": "noise", "Bad@tag@tag.wav": string(wav()), "__MACOSX/x.wav": "x", ".hidden": "x", "../../etc/passwd": string(wav()),
	})
	want := map[string]string{
		"Welcome.wav": "CREATED Welcome", "ko-KR/Welcome.wav": "REPLACED Welcome ko-KR", "menu/Goodbye@en-GB.wav": "CREATED Goodbye en-GB",
		"noise.wav": "FAILED noise", "Bad@tag@tag.wav": "FAILED Bad", "../../etc/passwd": "CREATED passwd",
	}
	if len(got) != len(want) || failed != 2 {
		t.Errorf("%v, %d failed", got, failed)
	}
	for file, result := range want {
		if got[file] != result {
			t.Errorf("%s: %q, want %q", file, got[file], result)
		}
	}
	if n := w.blobs.count(); n != 2 { // three prompts have the same file
		t.Errorf("%d files", n)
	}
	if again, _ := upload(map[string]string{"Welcome.wav": string(wav()), "ko/Welcome.wav": string(wav())}); again["Welcome.wav"] != "UNCHANGED Welcome" ||
		again["ko/Welcome.wav"] != "REPLACED Welcome ko" {
		t.Errorf("%v", again)
	}
	crowd := map[string]string{}
	for i := range 2001 {
		crowd[strconv.Itoa(i)+"/.x"] = ""
	}
	for _, body := range []string{"", "no zip", zipped(crowd)} {
		if status, _, _ := w.do("admin", "POST", "/admin/v1/prompts-bulk", body); status != http.StatusBadRequest {
			t.Errorf("%q: %d", body, status)
		}
	}
}
