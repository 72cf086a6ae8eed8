package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconnect "github.com/aws/aws-sdk-go-v2/service/connect"
	"github.com/google/go-cmp/cmp"

	"ullim/internal/egress"
	"ullim/internal/webhook"
)

// checkURL is the real check, with one place inside that may be called.
func checkURL(t *testing.T) func(string) error {
	t.Helper()
	c, err := egress.New(egress.Options{Allow: []string{"10.7.1.1:8080"}})
	must(t, err)
	return c.Check
}

const lambdaARN = "arn:aws:lambda:ap-northeast-2:123456789012:function:"

func TestLambdaFunctionsAreAssociatedAsTheSDKDoesIt(t *testing.T) {
	w := newWorld(t)
	ctx, c := t.Context(), w.client("admin")
	for _, name := range []string{"lookup", "billing", "lookup"} { // twice changes nothing
		_, err := c.AssociateLambdaFunction(ctx, &awsconnect.AssociateLambdaFunctionInput{InstanceId: aws.String(ours), FunctionArn: aws.String(lambdaARN + name)})
		must(t, err)
	}
	list := func() []string {
		t.Helper()
		var all []string
		pages := awsconnect.NewListLambdaFunctionsPaginator(c, &awsconnect.ListLambdaFunctionsInput{InstanceId: aws.String(ours), MaxResults: aws.Int32(1)})
		for pages.HasMorePages() {
			p, err := pages.NextPage(ctx)
			must(t, err)
			if len(p.LambdaFunctions) > 1 {
				t.Errorf("a page of one has %d", len(p.LambdaFunctions))
			}
			all = append(all, p.LambdaFunctions...)
		}
		return all
	}
	if d := cmp.Diff([]string{lambdaARN + "billing", lambdaARN + "lookup"}, list()); d != "" {
		t.Error(d)
	}
	var mine struct {
		Functions []struct {
			FunctionID   string   `json:"FunctionId"`
			Name         string   `json:"Name"`
			FunctionArns []string `json:"FunctionArns"`
			Mapped       bool     `json:"Mapped"`
		} `json:"Functions"`
	}
	w.admin("admin", "GET", "/functions", "", &mine)
	if len(mine.Functions) != 2 || mine.Functions[0].Name != "billing" || mine.Functions[0].Mapped {
		t.Fatalf("not listed as unmapped: %+v", mine)
	}
	w.admin("admin", "PUT", "/functions/"+mine.Functions[0].FunctionID,
		`{"Name":"billing","Url":"https://hooks.example.com/b","FunctionArns":["`+lambdaARN+`billing"]}`, nil)
	_, err := c.DisassociateLambdaFunction(ctx, &awsconnect.DisassociateLambdaFunctionInput{InstanceId: aws.String(ours), FunctionArn: aws.String(lambdaARN + "billing")})
	must(t, err)
	_, err = c.DisassociateLambdaFunction(ctx, &awsconnect.DisassociateLambdaFunctionInput{InstanceId: aws.String(ours), FunctionArn: aws.String(lambdaARN + "lookup")})
	must(t, err)
	if got := list(); len(got) != 0 {
		t.Errorf("%v are left", got)
	}
	w.admin("admin", "GET", "/functions", "", &mine)
	if len(mine.Functions) != 1 || mine.Functions[0].Name != "billing" { // what somebody has set up stays
		t.Errorf("%+v", mine)
	}
	for _, bad := range []string{"arn:aws:s3:::bucket", "lookup", ""} {
		if _, err = c.AssociateLambdaFunction(ctx, &awsconnect.AssociateLambdaFunctionInput{InstanceId: aws.String(ours), FunctionArn: aws.String(bad)}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	_, err = c.DisassociateLambdaFunction(ctx, &awsconnect.DisassociateLambdaFunctionInput{InstanceId: aws.String(ours), FunctionArn: aws.String(lambdaARN + "nobody")})
	if err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Errorf("%v", err)
	}
}

func TestAFunctionsSecretsAreShownOnce(t *testing.T) {
	w := newWorld(t)
	var made struct{ FunctionId, Secret string } //nolint:revive // as on the wire
	w.admin("admin", "POST", "/functions", `{"Name":"crm","Url":"https://hooks.example.com/crm","FunctionArns":["`+lambdaARN+`crm"],"TimeoutSeconds":5,
		"HoldAudio":"music","Headers":{"authorization":"Bearer hidden-token","X-Env":"prod"}}`, &made)
	if !strings.HasPrefix(made.Secret, "whsec_") {
		t.Fatalf("%+v", made)
	}
	one := "/functions/" + made.FunctionId
	show := func() string {
		t.Helper()
		_, _, b := w.do("admin", "GET", "/admin/v1"+one, "")
		_, _, all := w.do("admin", "GET", "/admin/v1/functions", "")
		return string(b) + string(all)
	}
	text := show()
	for _, hidden := range []string{made.Secret, "hidden-token", "prod", "sealed:"} {
		if strings.Contains(text, hidden) {
			t.Errorf("%s is shown: %s", hidden, text)
		}
	}
	for _, shown := range []string{`"Authorization"`, `"X-Env"`, `"Signed":true`, `"Mapped":true`, `"TimeoutSeconds":5`} {
		if !strings.Contains(text, shown) {
			t.Errorf("%s is not shown: %s", shown, text)
		}
	}
	open := func() (secret, previous string, headers map[string]string) {
		t.Helper()
		f, err := w.o.Admin.Functions.Get(t.Context(), ours, made.FunctionId)
		must(t, err)
		secret, err = w.o.Admin.Sealer.Open(webhook.SecretOwner(f.ID), f.Secret)
		must(t, err)
		if f.PreviousSecret != "" && time.Now().Before(f.PreviousUntil) {
			previous, err = w.o.Admin.Sealer.Open(webhook.SecretOwner(f.ID), f.PreviousSecret)
			must(t, err)
		}
		values, err := w.o.Admin.Sealer.Open(webhook.SecretOwner(f.ID), f.HeaderValues)
		must(t, err)
		must(t, json.Unmarshal([]byte(values), &headers))
		return secret, previous, headers
	}
	w.admin("admin", "PUT", one, `{"Name":"crm","Url":"https://hooks.example.com/crm2","Headers":{"X-Env":""}}`, nil)
	secret, previous, headers := open()
	if d := cmp.Diff(map[string]string{"Authorization": "Bearer hidden-token"}, headers); d != "" || secret != made.Secret || previous != "" {
		t.Errorf("after an update: %s %s", secret, d)
	}
	var rotated struct{ Secret string }
	w.admin("admin", "POST", one+"/secret", `{}`, &rotated)
	if secret, previous, _ = open(); secret != rotated.Secret || previous != made.Secret || secret == previous {
		t.Error("after a rotation both must sign")
	}
	w.admin("admin", "POST", one+"/secret", `{"Secret":"a-secret-of-my-own-that-is-long","OverlapSeconds":0}`, nil)
	if status, _, answer := w.do("admin", "POST", "/admin/v1"+one+"/secret", `{"Secret":"short"}`); status != 400 {
		t.Errorf("%d %s", status, answer)
	}
	for log := range strings.SplitSeq(w.log.String(), "\n") {
		if strings.Contains(log, made.Secret) || strings.Contains(log, "hidden-token") {
			t.Errorf("logged: %s", log)
		}
	}
	w.admin("admin", "DELETE", one, "", nil)
}

func TestWhatAFunctionMayNotBe(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		`{"Name":"f","Url":"https://127.0.0.1/"}`, `{"Name":"f","Url":"https://169.254.169.254/"}`, `{"Name":"f","Url":"http://hooks.example.com/"}`,
		`{"Name":"f","Url":"file:///etc/passwd"}`, `{"Name":"f","Url":"https://u:p@hooks.example.com/"}`, `{"Name":"f","Url":"https://[::1]/"}`,
		`{"Name":"f","Url":"https://hooks.example.com/{name}"}`, `{"Name":"*"}`, `{"Name":"f","TimeoutSeconds":9}`, `{"Name":"f","Headers":{"Host":"x"}}`,
		`{"Name":"f","Headers":{"X-A":"a\r\nb"}}`, `{"Name":"f","FunctionArns":["x"]}`, `{"Name":"","Url":"https://hooks.example.com/"}`, `{"Name":"f","Nonsense":1}`,
	} {
		status, name, answer := w.do("admin", "POST", "/admin/v1/functions", body)
		if status != http.StatusBadRequest && status != http.StatusForbidden {
			t.Errorf("%s: %d %s %s", body, status, name, answer)
		}
	}
	for _, body := range []string{`{"Name":"*","Url":"https://hooks.example.com/{name}/x"}`, `{"Name":"g","Url":"http://10.7.1.1:8080/"}`} {
		w.admin("admin", "POST", "/functions", body, nil)
	}
}

func TestAudioDestinationsHideTheirSecrets(t *testing.T) {
	w := newWorld(t)
	var made struct{ AudioDestinationId string } //nolint:revive // as on the wire
	w.admin("admin", "POST", "/audio-destinations", `{"Name":"default","Url":"wss://bots.example.com/a","Secret":"abcdefghijklmnopqrstuvwx","Token":"hidden-token",
		"Parameters":{"lang":"ko"}}`, &made)
	one := "/audio-destinations/" + made.AudioDestinationId
	w.admin("admin", "PUT", one, `{"Name":"default","Url":"wss://bots.example.com/b"}`, nil)
	_, _, b := w.do("admin", "GET", "/admin/v1"+one, "")
	text := string(b)
	if !strings.Contains(text, `"Signed":true`) || !strings.Contains(text, `"HasToken":true`) || !strings.Contains(text, "example.com/b") ||
		strings.Contains(text, "hidden") || strings.Contains(text, "sealed") || strings.Contains(text, "abcdef") {
		t.Error(text)
	}
	for _, body := range []string{
		`{"Name":"x","Url":"https://bots.example.com/"}`, `{"Name":"x","Url":"ws://bots.example.org:80/"}`, `{"Name":"x","Url":"wss://10.0.0.1/"}`, `{"Name":"x"}`,
		`{"Name":"x/y","Url":"wss://bots.example.com/"}`, `{"Name":"x","Url":"wss://bots.example.com/","Secret":"short"}`,
		`{"Name":"x","Url":"wss://bots.example.com/","Token":"a b"}`, fmt.Sprintf(`{"Name":"x","Url":"wss://bots.example.com/","Parameters":{"a":%q}}`, strings.Repeat("x", 5000)),
	} {
		if status, name, answer := w.do("admin", "POST", "/admin/v1/audio-destinations", body); !slices.Contains([]int{400, 403}, status) {
			t.Errorf("%s: %d %s %s", body, status, name, answer)
		}
	}
	w.admin("admin", "DELETE", one, "", nil)
}
