package sip

import (
	"strings"
	"testing"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/google/go-cmp/cmp"
)

func TestR29ACallTellsByWhichNumbersItCame(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat("<sip:100@c.example>, ", 40), ", ")
	for name, c := range map[string]struct {
		headers [][2]string
		want    []string
	}{
		"not at all": {nil, nil},
		"Diversion, the most recent first": {
			[][2]string{{"Diversion", `"Front desk" <sip:+8215881111@c.example;user=phone>;reason=unconditional`}, {"Diversion", "<tel:+8215880000>;reason=no-answer"}},
			[]string{"+8215880000", "+8215881111"},
		},
		"two in one line": {[][2]string{{"Diversion", "<sip:2@c.example>;counter=1, <sip:1@c.example>"}}, []string{"1", "2"}},
		"History-Info, the target last": {
			[][2]string{{"History-Info", "<sip:1@c.example>;index=1, <sip:2@c.example>;index=1.1;mp=1"}, {"History-Info", "<sip:3@c.example>;index=1.1.1;mp=1.1"}},
			[]string{"1", "2"},
		},
		"only the target":   {[][2]string{{"History-Info", "<sip:3@c.example>;index=1"}}, []string{}},
		"both":              {[][2]string{{"History-Info", "<sip:3@c.example>;index=1"}, {"Diversion", "<sip:1@c.example>"}}, []string{"1"}},
		"rubbish":           {[][2]string{{"Diversion", `<<<>, "`}, {"Diversion", "<sip:@c.example>, <sip:7@c.example>"}}, []string{"7"}},
		"more than anybody": {[][2]string{{"Diversion", many}}, slicesOf("100", maxDivertedIn+1)},
	} {
		t.Run(name, func(t *testing.T) {
			req := sipgo.NewRequest(sipgo.INVITE, sipgo.Uri{User: "1", Host: "example.com"})
			for _, h := range c.headers {
				req.AppendHeader(sipgo.NewHeader(h[0], h[1]))
			}
			got := divertedBy(req, func(s string) string { return s })
			if len(got)+len(c.want) > 0 && !cmp.Equal(got, c.want) {
				t.Error(cmp.Diff(c.want, got))
			}
		})
	}
}

func slicesOf(s string, n int) (out []string) {
	for range n {
		out = append(out, s)
	}
	return out
}
