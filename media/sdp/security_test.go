package sdp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ullim/internal/errs"
	"ullim/media/srtp"
)

func TestR32WhatIsRequiredIsNeverPlain(t *testing.T) {
	sdes := "a=crypto:1 " + theirKey()
	dtls := fingerprint + "\r\na=setup:actpass"
	for name, c := range map[string]struct {
		offer string
		want  map[Policy]Means // absent: refused
	}{
		"plain":           {"m=audio 4 RTP/AVP 0", map[Policy]Means{PlainPolicy: Plain, OptionalSRTP: Plain}},
		"SDES":            {"m=audio 4 RTP/SAVP 0\r\n" + sdes, map[Policy]Means{PlainPolicy: SDES, OptionalSRTP: SDES, RequireSDES: SDES, RequireDTLS: SDES, Browser: SDES}},
		"optional SDES":   {"m=audio 4 RTP/AVP 0\r\n" + sdes, map[Policy]Means{PlainPolicy: SDES, OptionalSRTP: SDES, RequireSDES: SDES, RequireDTLS: SDES, Browser: SDES}},
		"DTLS":            {"m=audio 4 UDP/TLS/RTP/SAVP 0\r\n" + dtls, map[Policy]Means{PlainPolicy: DTLS, OptionalSRTP: DTLS, RequireSDES: DTLS, RequireDTLS: DTLS, Browser: DTLS}},
		"optional DTLS":   {"m=audio 4 RTP/AVP 0\r\n" + dtls, map[Policy]Means{PlainPolicy: DTLS, OptionalSRTP: DTLS, RequireSDES: DTLS, RequireDTLS: DTLS, Browser: DTLS}},
		"both":            {"m=audio 4 RTP/SAVP 0\r\n" + sdes + "\r\n" + dtls, map[Policy]Means{PlainPolicy: SDES, OptionalSRTP: SDES, RequireSDES: SDES, RequireDTLS: DTLS, Browser: DTLS}},
		"SAVP, no key":    {"m=audio 4 RTP/SAVP 0", nil},
		"TLS, no print":   {"m=audio 4 UDP/TLS/RTP/SAVPF 0\r\na=setup:actpass", nil},
		"unknown suite":   {"m=audio 4 RTP/SAVP 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 inline:" + strings.Repeat("A", 40), nil},
		"in the clear":    {"m=audio 4 RTP/SAVP 0\r\na=crypto:1 " + theirKey() + " UNENCRYPTED_SRTP", nil},
		"not signed":      {"m=audio 4 RTP/SAVP 0\r\na=crypto:1 " + theirKey() + " UNAUTHENTICATED_SRTP", nil},
		"derived anew":    {"m=audio 4 RTP/SAVP 0\r\na=crypto:1 " + theirKey() + " KDR=3", nil},
		"key cut off":     {"m=audio 4 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", nil},
		"other transport": {"m=audio 4 TCP/TLS/RTP/SAVP 0\r\n" + dtls, nil},
	} {
		for _, p := range []Policy{PlainPolicy, OptionalSRTP, RequireSDES, RequireDTLS, Browser} {
			_, s, err := Answer(with(us(), p), parse(t, them(c.offer)))
			want, taken := c.want[p]
			if taken != (err == nil) || taken && s.Protection.By != want || err != nil && !errs.Is(err, errs.Invalid) {
				t.Errorf("%s to policy %q: by %d, %v", name, p, s.Protection.By, err)
			}
		}
	}
}

func TestADryRunSaysWhyAnOfferWouldBeRefused(t *testing.T) {
	for _, c := range []struct {
		policy     Policy
		offer, why string
	}{
		{PlainPolicy, "m=audio 4 RTP/SAVP 0\r\na=crypto:1 " + theirKey(), ""},
		{Browser, "m=audio 4 UDP/TLS/RTP/SAVPF 0\r\n" + fingerprint, ""},
		{RequireSDES, "m=audio 4 RTP/AVP 0", "encryption is required and not offered"},
		{PlainPolicy, "m=audio 4 RTP/AVP 18", "no codec in common with PCMU"},
		{PlainPolicy, "m=image 4 udptl t38", "there is no audio over RTP"},
		{PlainPolicy, "m=audio 4 RTP/SAVP 0", "its protection is not known"},
	} {
		err := Check([]string{PCMU}, c.policy, []byte(them(c.offer)))
		if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q to %q: %v", c.offer, c.policy, err)
		}
	}
}

func TestAnAnswerMustBeToWhatWasOffered(t *testing.T) {
	sdes := "a=crypto:2 " + theirKey()
	unoffered := srtp.NewKey(srtp.AES_256_CM_HMAC_SHA1_80)
	for name, c := range map[string]struct {
		policy Policy
		answer string
		want   Means // -1: refused
	}{
		"plain to plain":        {PlainPolicy, "m=audio 4 RTP/AVP 0", Plain},
		"keys nobody offered":   {PlainPolicy, "m=audio 4 RTP/AVP 0\r\n" + sdes, Plain},
		"SAVP nobody offered":   {PlainPolicy, "m=audio 4 RTP/SAVP 0\r\n" + sdes, -1},
		"declined":              {OptionalSRTP, "m=audio 4 RTP/AVP 0", Plain},
		"taken":                 {OptionalSRTP, "m=audio 4 RTP/AVP 0\r\n" + sdes, SDES},
		"taken as SAVP":         {OptionalSRTP, "m=audio 4 RTP/SAVP 0\r\n" + sdes, SDES},
		"SDES":                  {RequireSDES, "m=audio 4 RTP/SAVP 0\r\n" + sdes, SDES},
		"SDES answered plain":   {RequireSDES, "m=audio 4 RTP/AVP 0", -1},
		"SDES without key":      {RequireSDES, "m=audio 4 RTP/SAVP 0", -1},
		"a suite not offered":   {RequireSDES, "m=audio 4 RTP/SAVP 0\r\na=crypto:1 " + unoffered.Suite().String() + " inline:" + unoffered.Inline(), -1},
		"DTLS":                  {RequireDTLS, "m=audio 4 UDP/TLS/RTP/SAVP 0\r\n" + fingerprint + "\r\na=setup:active", DTLS},
		"DTLS without print":    {RequireDTLS, "m=audio 4 UDP/TLS/RTP/SAVP 0", -1},
		"DTLS answered by SDES": {RequireDTLS, "m=audio 4 RTP/SAVP 0\r\n" + sdes, -1},
		"a browser":             {Browser, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" + fingerprint + "\r\na=setup:active\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx", DTLS},
	} {
		s, err := Accept(with(us(), c.policy), parse(t, them(c.answer)))
		if (c.want < 0) != (err != nil) || err == nil && s.Protection.By != c.want || err != nil && !errs.Is(err, errs.Invalid) {
			t.Errorf("%s: by %d, %v", name, s.Protection.By, err)
		}
		if err == nil && s.Protection.By == SDES && s.Protection.Send.Suite() != s.Protection.Recv.Suite() {
			t.Errorf("%s: %v and %v", name, s.Protection.Send, s.Protection.Recv)
		}
	}
}

func TestCryptoLines(t *testing.T) {
	k := srtp.NewKey(srtp.AES_CM_128_HMAC_SHA1_80)
	in := "AES_CM_128_HMAC_SHA1_80 inline:" + k.Inline()
	for text, want := range map[string]bool{
		"1 " + in:                     true,
		"1 " + in + "|2^20":           true,
		"1 " + in + "|2^20|1:4":       true,
		"1 " + in + "|1:4":            true,
		"1 " + in + "|1:4;inline:AAA": true,
		"1 " + in + " WSH=128 -x=1":   true,
		"1 " + strings.ToLower(in)[:23] + " inline:" + k.Inline(): true,
		"1 " + in + " FEC_ORDER=SRTP_FEC":                         false,
		"1 " + in + "|1:0":                                        false,
		"1 " + in + "|300:1":                                      false,
		"1 " + in + "|1:400":                                      false,
		"x " + in:                                                 false,
		"12345678901 " + in:                                       false,
		"1 AES_CM_128_HMAC_SHA1_80":                               false,
		"1 AES_CM_128_HMAC_SHA1_80 " + k.Inline():                 false,
		"": false,
	} {
		c, ok := parseCrypto(text)
		if ok != want {
			t.Errorf("%q: %v", strings.ReplaceAll(text, k.Inline(), "(key)"), ok)
		}
		if ok && !strings.Contains(text, "|") && !c.Key.Equal(k) {
			t.Errorf("%q: another key", text)
		}
	}
	if shown := fmt.Sprintf("%v %+v %#v", parse(t, them("m=audio 4 RTP/SAVP 0", "a=crypto:1 "+in)), Crypto{1, k}, Crypto{1, k}); strings.Contains(shown, k.Inline()[:10]) {
		t.Errorf("the key shows: %s", shown)
	}
}

func TestTheFirstCryptoLineThatCanBeTakenIsAnsweredByItsTag(t *testing.T) { // RFC 4568 §5.1.2
	text, s := mustAnswer(t, with(us(), PlainPolicy), them("m=audio 4 RTP/SAVP 0", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA",
		"a=crypto:77 "+theirKey(), "a=crypto:2 AEAD_AES_256_GCM inline:"+srtp.NewKey(srtp.AEAD_AES_256_GCM).Inline()))
	if s.Protection.Tag != 77 || !strings.Contains(text, "a=crypto:77 AES_CM_128_HMAC_SHA1_80 inline:"+s.Protection.Send.Inline()) {
		t.Errorf("%+v\n%s", s.Protection, text)
	}
}

func TestM09TheRoleOfTheHandshakeIsKept(t *testing.T) { // RFC 8842 §5
	offer := func(setup string, more ...string) string {
		return them(append([]string{"m=audio 4 UDP/TLS/RTP/SAVP 0", fingerprint, "a=setup:" + setup}, more...)...)
	}
	for _, c := range []struct {
		first, second string
		role          string // ours in the second answer
		same          bool   // association
	}{
		{"actpass", "actpass", "passive", true},
		{"active", "actpass", "passive", true},
		{"passive", "actpass", "active", true},
		{"passive", "passive", "active", true},
		{"active", "passive", "active", false},
		{"passive", "active", "passive", false},
	} {
		l := with(us(), PlainPolicy)
		_, s := mustAnswer(t, l, offer(c.first))
		l = l.After(s)
		text, n := mustAnswer(t, l, offer(c.second))
		has(t, text, "a=setup:"+c.role)
		if (n.Protection.Association == s.Protection.Association) != c.same {
			t.Errorf("%s, then %s: association %d after %d", c.first, c.second, n.Protection.Association, s.Protection.Association)
		}
		has(t, string(Offer(l.After(n))), "a=setup:actpass")
	}
	l := with(us(), PlainPolicy)
	_, s := mustAnswer(t, l, offer("actpass"))
	l = l.After(s)
	for name, c := range map[string]struct {
		text string
		same bool
	}{
		"hold":                {offer("actpass", "a=sendonly"), true},
		"hold by 0.0.0.0":     {offer("actpass", "c=IN IP4 0.0.0.0"), true},
		"another fingerprint": {strings.ReplaceAll(offer("actpass"), "ab:ab:ab", "cd:cd:cd"), false},
		"another tls-id":      {offer("actpass", "a=tls-id:abcdef"), false},
		"another place":       {strings.Replace(offer("actpass"), "m=audio 4", "m=audio 6", 1), false},
	} {
		if _, n := mustAnswer(t, l, c.text); (n.Protection.Association == s.Protection.Association) != c.same {
			t.Errorf("%s: association %d after %d", name, n.Protection.Association, s.Protection.Association)
		}
	}
}

func TestABrowsersOfferIsAnsweredInItsShape(t *testing.T) {
	l := with(us(), Browser)
	l.Also = []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:20000")}
	offer := them("a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110 126", "c=IN IP4 0.0.0.0", "a=mid:0", "a=rtcp-mux", "a=rtcp-mux-only",
		"a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", fingerprint, "a=setup:actpass", "a=rtpmap:111 opus/48000/2",
		"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:1")
	text, s := mustAnswer(t, l, offer)
	has(t, text, "a=ice-lite", "a=group:BUNDLE 0", "m=audio 20000 UDP/TLS/RTP/SAVPF 0 126", "a=mid:0", "a=rtcp-mux", "a=setup:passive",
		"a=fingerprint:sha-256 "+l.Secrets.Fingerprint.Value, "a=ice-ufrag:ours1", "a=ice-pwd:"+l.Secrets.Pwd,
		"a=candidate:1 1 UDP 2130706431 198.51.100.1 20000 typ host", "a=candidate:2 1 UDP 2130706175 2001:db8::1 20000 typ host",
		"m=video 0 UDP/TLS/RTP/SAVPF 96", "a=mid:1", "a=sendrecv")
	if !s.Protection.ICE || !s.Send || !s.Recv || s.EventSend != 126 || s.RTCP != s.Remote {
		t.Errorf("%+v", s)
	}
	// An ICE restart: our names change with theirs, the association goes on.
	l = l.After(s)
	text, n := mustAnswer(t, l, strings.Replace(offer, "a=ice-ufrag:abcd", "a=ice-ufrag:efgh", 1))
	has(t, text, "a=ice-ufrag:ours2")
	if n.Protection.Association != s.Protection.Association || n.Protection.Secrets.Ufrag != "ours2" {
		t.Errorf("%+v", n.Protection)
	}
	// Another lite end has nobody who checks: without ICE.
	if _, n := mustAnswer(t, l, strings.Replace(offer, "a=group", "a=ice-lite\r\na=group", 1)); n.Protection.ICE {
		t.Error("two lite ends would wait for each other")
	}
}

func TestWhereRTCPGoes(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "192.0.2.9:4001",
		"a=rtcp-mux":                     "192.0.2.9:4000",
		"a=rtcp-mux-only":                "192.0.2.9:4000",
		"a=rtcp:5555":                    "192.0.2.9:5555",
		"a=rtcp:5555 IN IP4 192.0.2.77":  "192.0.2.77:5555",
		"a=rtcp:5555 IN IP6 2001:db8::7": "[2001:db8::7]:5555",
		"a=rtcp:nonsense":                "192.0.2.9:4001",
	} {
		if _, s := mustAnswer(t, us(), them("b=AS:80", usual, "b=TIAS:64000", text)); s.RTCP.String() != want {
			t.Errorf("%q: %s", text, s.RTCP)
		}
	}
}

func TestANameIsReportedAndNotLookedUp(t *testing.T) {
	_, s := mustAnswer(t, us(), strings.Replace(them(usual), "c=IN IP4 192.0.2.9", "c=IN IP4 phone.example", 1))
	if s.Host != "phone.example" || s.Remote.Addr().IsValid() {
		t.Errorf("%+v", s)
	}
	_, s = mustAnswer(t, us(), strings.Replace(them(usual), "c=IN IP4 192.0.2.9", "c=IN IP6 fe80::1%eth0", 1))
	if s.Remote.Addr().Zone() != "" {
		t.Errorf("%s: a zone of theirs means nothing here", s.Remote)
	}
}

func FuzzCrypto(f *testing.F) {
	k := srtp.NewKey(srtp.AEAD_AES_128_GCM)
	f.Add("1 AEAD_AES_128_GCM inline:" + k.Inline() + "|2^20|1:4 WSH=64")
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4;inline:x")
	f.Add("x  inline:|:|")
	f.Fuzz(func(t *testing.T, in string) {
		c, ok := parseCrypto(in)
		if !ok {
			return
		}
		if c.Key.Suite() == srtp.None || c.Key.Inline() == "" {
			t.Fatalf("%q is taken without a key", in)
		}
		if _, err := srtp.NewOpener(c.Key); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		again, ok := parseCrypto(fmt.Sprintf("%d %s inline:%s", c.Tag, c.Key.Suite(), c.Key.Inline()))
		if !ok || again.Tag != c.Tag || again.Key.Inline() != c.Key.Inline() {
			t.Fatalf("%q does not come back", in)
		}
	})
}
