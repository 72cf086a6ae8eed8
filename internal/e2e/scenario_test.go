package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

// Scenarios of SIPp are templates, so that each file shows what its row is about and nothing else. SIPp's own keywords are
// in brackets, ours in braces:
//
//	{{invite (sdp) "Header: value"}}    an INVITE of the caller, CSeq 1
//	{{same "INVITE" 1 (sdp)}}           the request of one message before again, to the byte
//	{{cancel 2}}                        CANCEL of the INVITE that was two messages before
//	{{request "BYE" 2 ""}}              a request inside the dialog that we began
//	{{ack 1 ""}}, {{nack}}              ACK of a 200, and of a refusal
//	{{ringing}}, {{want 200 "regexp"}}  answers that may come, and one that must, with something in it
//	{{called "regexp"}}                 the INVITE of the other side, with something in it
//	{{answer "200 OK" (sdp)}}           an answer to it; {{answerAs "tag" "200 OK" (sdp)}} with a tag of its own
//	{{get "BYE"}}, {{reply "200 OK"}}   a further request of the other side, and its answer
//	{{keep "BYE"}}, {{kept "200 OK"}}   the same, but the answer leaves later
//	{{demand "BYE" 2 ""}}               a request inside a dialog that they began
//	{{await "INVITE" 60000}}            a request of the other side inside the dialog, in so many milliseconds; it is kept
//	{{keptWith "200 OK" (sdp)}}         its answer, with a body
//	{{turned "BYE" 2 ""}}               a request inside a dialog that they began, after an await; {{turnedAck 1}} and
//	                                    {{nackTurned 1}} are ACKs of an INVITE that went this way
//	{{dialled "Require: 100rel"}}       the INVITE of a device, CSeq 2, behind its challenge; the callee is [service]
//	{{sdp "dir=sendonly" "port=9"}}     a description of a session
var scenarioParts = template.FuncMap{
	"invite": func(body string, headers ...string) string {
		return send(`retrans="500"`, "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0", outside(0, "INVITE", 1), body, headers)
	},
	"same": func(method string, back int, body string, headers ...string) string {
		return send("", method+" sip:[service]@[remote_ip]:[remote_port] SIP/2.0", outside(back, method, 1), body, headers)
	},
	"cancel": func(back int) string {
		return send("", "CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0", outside(back, "CANCEL", 1), "", nil)
	},
	"request": func(method string, cseq int, body string, headers ...string) string {
		return send(`retrans="500"`, method+" [next_url] SIP/2.0", inside(method, cseq), body, headers)
	},
	"ack": func(cseq int, body string) string {
		return send("", "ACK [next_url] SIP/2.0", inside("ACK", cseq), body, nil)
	},
	"nack": func() string {
		return send("", "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
			"[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: [last_cseq_number] ACK\nMax-Forwards: 70", "", nil)
	},
	"ringing": func() string {
		return "<recv response=\"100\" optional=\"true\" timeout=\"20000\"/>\n<recv response=\"180\" optional=\"true\"/>\n<recv response=\"183\" optional=\"true\"/>\n"
	},
	"trying": func() string { return "<recv response=\"100\" optional=\"true\" timeout=\"20000\"/>\n" },
	"want": func(code int, regexps ...string) string {
		return fmt.Sprintf("<recv response=\"%d\" rrs=\"true\" timeout=\"20000\">%s</recv>\n", code, checks(regexps))
	},
	"called": func(regexps ...string) string {
		return `<recv request="INVITE" rrs="true" timeout="40000"><action>` + saved() + found(regexps) + "</action></recv>\n"
	},
	"redirect": func(contacts string) string {
		return send("", "SIP/2.0 302 Moved Temporarily", "Via:[$via]\nFrom:[$from]\nTo:[$to];tag=[pid]-[call_number]\nCall-ID: [call_id]\nCSeq:[$cseq]\nContact: "+contacts, "", nil)
	},
	"answer": func(status, body string, headers ...string) string {
		return answerAs("[pid]-[call_number]", status, body, headers)
	},
	"answerAs": func(tag, status, body string, headers ...string) string {
		return answerAs(tag+"-[call_number]", status, body, headers)
	},
	"get": func(method string, regexps ...string) string {
		return fmt.Sprintf("<recv request=%q timeout=\"20000\">%s</recv>\n", method, checks(regexps))
	},
	"reply": func(status string, headers ...string) string {
		return send("", "SIP/2.0 "+status, "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"+contact, "", headers)
	},
	"replyWith": func(status, body string, headers ...string) string {
		return send("", "SIP/2.0 "+status, "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"+contact, body, headers)
	},
	"later": func(method string, cseq int, body string) string { // without waiting for what it brings
		return send("", method+" [next_url] SIP/2.0", inside(method, cseq), body, nil)
	},
	"nackInside": func(cseq int) string { // ACK of a refused re-INVITE: in its transaction
		return send("", "ACK [next_url] SIP/2.0", fmt.Sprintf("[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: %d ACK\nMax-Forwards: 70", cseq), "", nil)
	},
	"nackOf": func(back int) string { // ACK of whatever refusal there was
		return send("", "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0", outside(back, "ACK", 1), "", nil)
	},
	"keep": func(method string) string {
		return fmt.Sprintf("<recv request=%q timeout=\"20000\"><action>%s</action></recv>\n", method, saved())
	},
	"kept": func(status string) string {
		return send("", "SIP/2.0 "+status, "Via:[$via]\nFrom:[$from]\nTo:[$to]\nCall-ID: [call_id]\nCSeq:[$cseq]", "", nil)
	},
	"multipart": func(body string) string {
		return "--next\nContent-Type: application/isup\n\nxyz\n--next\nContent-Type: application/sdp\n\n" + body + "--next--\n"
	},
	"demand": func(method string, cseq int, body string, headers ...string) string {
		return send(`retrans="500"`, method+" [next_url] SIP/2.0", fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
			"From:[$to];tag=[pid]-[call_number]\nTo:[$from]\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s", cseq, method, contact), body, headers)
	},
	"demandOnce": func(method string, cseq int, body string, headers ...string) string { // without waiting for what it brings
		return send("", method+" [next_url] SIP/2.0", fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
			"From:[$to];tag=[pid]-[call_number]\nTo:[$from]\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s", cseq, method, contact), body, headers)
	},
	"demandAck": func(cseq int, body string) string {
		return send("", "ACK [next_url] SIP/2.0", fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
			"From:[$to];tag=[pid]-[call_number]\nTo:[$from]\nCall-ID: [call_id]\nCSeq: %d ACK\nMax-Forwards: 70", cseq), body, nil)
	},
	"answerCrossing": func(status, body string) string { // of the INVITE, when what is kept is its CANCEL
		return send("", "SIP/2.0 "+status, "Via:[$via]\nFrom:[$from]\nTo:[$to];tag=[pid]-[call_number]\nCall-ID: [call_id]\nCSeq: [last_cseq_number] INVITE\n"+contact, body, nil)
	},
	"await": func(method string, ms int) string {
		return fmt.Sprintf("<recv request=%q rrs=\"true\" timeout=\"%d\"><action>%s</action></recv>\n", method, ms, saved())
	},
	"keptWith": func(status, body string, headers ...string) string {
		return send("", "SIP/2.0 "+status, "Via:[$via]\nFrom:[$from]\nTo:[$to]\nCall-ID: [call_id]\nCSeq:[$cseq]\n"+contact, body, headers)
	},
	"turned": func(method string, cseq int, body string, headers ...string) string {
		return send(`retrans="500"`, method+" [next_url] SIP/2.0", fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
			"From:[$to]\nTo:[$from]\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s", cseq, method, contact), body, headers)
	},
	"nackTurned": func(cseq int) string {
		return send("", "ACK [next_url] SIP/2.0", fmt.Sprintf("[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: %d ACK\nMax-Forwards: 70", cseq), "", nil)
	},
	"turnedAck": func(cseq int) string {
		return send("", "ACK [next_url] SIP/2.0", fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"+
			"From:[$to]\nTo:[$from]\nCall-ID: [call_id]\nCSeq: %d ACK\nMax-Forwards: 70", cseq), "", nil)
	},
	"dialled": dialled,
	"pause":   func(ms int) string { return fmt.Sprintf("<pause milliseconds=\"%d\"/>\n", ms) },
	"times":   func(n int) []struct{} { return make([]struct{}, n) },
	"sdp":     describe,
}

// dialled is what a device sends until it is let in. Phones of this name are only asked for MD5, which is all that SIPp knows.
func dialled(header string) string {
	headers := []string{"User-Agent: Twinkle/1.10"}
	if header != "" {
		headers = append(headers, header)
	}
	const line = "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0"
	return send(`retrans="500"`, line, outside(0, "INVITE", 1), describe(), headers) +
		"<recv response=\"100\" optional=\"true\" timeout=\"20000\"/>\n<recv response=\"401\" auth=\"true\"/>\n" +
		send("", "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
			"[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\nCSeq: 1 ACK\nMax-Forwards: 70", "", nil) +
		send(`retrans="500"`, line, outside(0, "INVITE", 2), describe(), append(headers, "[authentication]")) +
		"<recv response=\"100\" optional=\"true\" timeout=\"20000\"/>\n"
}

const contact = "Contact: <sip:carrier@[local_ip]:[local_port];transport=[transport]>"

func outside(back int, method string, cseq int) string {
	branch := "[branch]"
	if back > 0 {
		branch = fmt.Sprintf("[branch-%d]", back)
	}
	return fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=%s\nFrom: <sip:[from]@[local_ip]:[local_port]>;tag=[pid]-[call_number]\n"+
		"To: <sip:[service]@[remote_ip]:[remote_port]>\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s", branch, cseq, method, contact)
}

func inside(method string, cseq int) string {
	return fmt.Sprintf("Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\nFrom: <sip:[from]@[local_ip]:[local_port]>;tag=[pid]-[call_number]\n"+
		"To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s", cseq, method, contact)
}

func answerAs(tag, status, body string, headers []string) string {
	return send("", "SIP/2.0 "+status, "Via:[$via]\nFrom:[$from]\nTo:[$to];tag="+tag+"\nCall-ID: [call_id]\nCSeq:[$cseq]\n"+contact, body, headers)
}

// saved keeps what every answer repeats.
func saved() string {
	var b strings.Builder
	for _, h := range []string{"Via", "From", "To", "CSeq"} {
		fmt.Fprintf(&b, `<ereg regexp=".*" search_in="hdr" header="%s:" assign_to="%s"/>`, h, strings.ToLower(h))
	}
	return b.String()
}

func checks(regexps []string) string {
	if len(regexps) == 0 {
		return ""
	}
	return "<action>" + found(regexps) + "</action>"
}

// found wants something in a message. What it is given lands in an attribute of XML.
func found(regexps []string) string {
	var b strings.Builder
	for i, r := range regexps {
		fmt.Fprintf(&b, `<ereg regexp="%s" search_in="msg" check_it="true" assign_to="c%d"/>`, strings.NewReplacer(`"`, "&quot;", "<", "&lt;").Replace(r), i)
	}
	return b.String()
}

func send(attributes, first, head, body string, headers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<send %s><![CDATA[\n%s\n%s\n", attributes, first, head)
	for _, h := range headers {
		b.WriteString(h + "\n")
	}
	kind := "application/sdp"
	if strings.HasPrefix(body, "--") {
		kind = "multipart/mixed;boundary=next"
	}
	if strings.HasPrefix(body, "Signal=") {
		kind = "application/dtmf-relay"
	}
	if body != "" {
		b.WriteString("Content-Type: " + kind + "\n")
	}
	fmt.Fprintf(&b, "Content-Length: [len]\n\n%s]]></send>\n", body)
	return b.String()
}

// describe writes SDP. What differs from the usual: port, conn, dir, codecs (payload numbers), maps (lines for them), version, more (lines).
func describe(changes ...string) string {
	v := map[string]string{
		"port": "[media_port]", "conn": "[media_ip]", "dir": "sendrecv", "codecs": "0 8 101", "version": "1",
		"maps": "a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000\n", "more": "",
	}
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		v[name] = value
	}
	return fmt.Sprintf("v=0\no=carrier 1 %s IN IP4 [local_ip]\ns=-\nc=IN IP4 %s\nt=0 0\nm=audio %s RTP/AVP %s\n%sa=%s\n%s",
		v["version"], v["conn"], v["port"], v["codecs"], v["maps"], v["dir"], v["more"])
}

// scenario writes a scenario of testdata as SIPp wants it, and gives the file.
func scenario(t testing.TB, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := template.New(name).Funcs(scenarioParts).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err = parsed.Execute(&b, nil); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if !strings.HasPrefix(out, "<?xml") { // a short one: only what happens
		var unused []string // SIPp wants every variable to be used
		for _, v := range []string{"via", "from", "to", "cseq", "c0", "c1", "c2", "c3"} {
			if strings.Contains(out, `assign_to="`+v+`"`) {
				unused = append(unused, v)
			}
		}
		if len(unused) > 0 {
			out += fmt.Sprintf("<Reference variables=%q/>\n", strings.Join(unused, ","))
		}
		out = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<scenario name=\"" + name + "\">\n" + out + "</scenario>\n"
	}
	file := filepath.Join(dir, filepath.Base(name)+".xml")
	if err = os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
