package resource

import "testing"

func TestAnARNGivesItsIDToItsOwnInstanceAndKindOnly(t *testing.T) {
	for _, kind := range []Kind{KindQueue, KindFlow, KindPhoneNumber, KindInstance} {
		arn := ARN("i1", kind, "x1")
		want := "x1"
		if kind == KindInstance {
			want = "i1"
		}
		if id, ok := IDInARN("i1", kind, arn); !ok || id != want {
			t.Errorf("%s: %q, %v", arn, id, ok)
		}
		if id, ok := IDInARN("i1", KindHours, arn); ok {
			t.Errorf("%s gives %q as hours", arn, id)
		}
	}
	const exported = "arn:aws:connect:ap-northeast-2:123456789012:instance/i1/queue/q1"
	if id, ok := IDInARN("i1", KindQueue, exported); !ok || id != "q1" {
		t.Errorf("an exported ARN gives %q, %v", id, ok)
	}
	for _, bad := range []string{
		"", "q1", "arn:aws:s3:::b/k", "arn:aws:connect:r:a:instance/i2/queue/q1", "arn:aws:connect:r:a:instance/i1/queue/",
		"arn:aws:connect:r:a:instance/i1/queue/q1/x", "arn:aws:connect",
	} {
		if id, ok := IDInARN("i1", KindQueue, bad); ok {
			t.Errorf("%q gives %q", bad, id)
		}
	}
}
