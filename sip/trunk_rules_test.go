package sip

import (
	"strings"
	"testing"

	"ullim/internal/call"
	"ullim/internal/resource"
)

func TestTrunkRulesOfTheOutgoingSide(t *testing.T) {
	for name, c := range map[string]struct {
		edit  func(*Trunk)
		field string
	}{
		"all well":                    {func(*Trunk) {}, ""},
		"outgoing only":               {func(k *Trunk) { k.Addresses = nil }, ""},
		"neither in nor out":          {func(k *Trunk) { k.Addresses, k.Gateways = nil, nil }, "Addresses"},
		"seventeen gateways":          {func(k *Trunk) { k.Gateways = make([]Gateway, 17) }, "Gateways"},
		"no host":                     {func(k *Trunk) { k.Gateways[0].Host = "" }, "Gateways[0].Host"},
		"host with a port":            {func(k *Trunk) { k.Gateways[0].Host = "a.example:5060" }, "Gateways[0].Host"},
		"host with a line":            {func(k *Trunk) { k.Gateways[0].Host = "a\r\nb" }, "Gateways[0].Host"},
		"half an address":             {func(k *Trunk) { k.Gateways[0].Host = "192.0.2" }, "Gateways[0].Host"},
		"unspecified address":         {func(k *Trunk) { k.Gateways[0].Host = "0.0.0.0" }, "Gateways[0].Host"},
		"IPv6 in brackets":            {func(k *Trunk) { k.Gateways[0].Host = "[2001:db8::1]" }, ""},
		"underscore":                  {func(k *Trunk) { k.Gateways[0].Host = "a_b.example" }, ""},
		"port":                        {func(k *Trunk) { k.Gateways[0].Port = 65536 }, "Gateways[0].Port"},
		"transport":                   {func(k *Trunk) { k.Gateways[0].Transport = "udp" }, "Gateways[0].Transport"},
		"priority":                    {func(k *Trunk) { k.Gateways[0].Priority = -1 }, "Gateways[0].Priority"},
		"weight":                      {func(k *Trunk) { k.Gateways[0].Weight = 70000 }, "Gateways[0].Weight"},
		"proxy":                       {func(k *Trunk) { k.OutboundProxy = &Gateway{Host: "a b"} }, "OutboundProxy.Host"},
		"proxy to nowhere":            {func(k *Trunk) { k.Gateways, k.OutboundProxy = nil, &Gateway{Host: "p.example"} }, "Gateways"},
		"redirect host":               {func(k *Trunk) { k.RedirectHosts = []string{"a b"} }, "RedirectHosts[0]"},
		"login without a password":    {func(k *Trunk) { k.Login.Username = "a" }, "Login.Password"},
		"password without a login":    {func(k *Trunk) { k.Login.Secret = "x" }, "Login.Username"},
		"realm without a login":       {func(k *Trunk) { k.Login.Realm = "x" }, "Login.Username"},
		"login with a line":           {func(k *Trunk) { k.Login = Login{Username: "a\nb", Secret: "x"} }, "Login.Username"},
		"registration of nobody":      {func(k *Trunk) { k.Register.Enabled = true }, "Register.User"},
		"registration":                {func(k *Trunk) { k.Register = Register{Enabled: true, User: "a", Expires: 60} }, ""},
		"registration domain":         {func(k *Trunk) { k.Register = Register{User: "a", Domain: "a:1"} }, "Register.Domain"},
		"registration time":           {func(k *Trunk) { k.Register = Register{User: "a", Expires: 59} }, "Register.Expires"},
		"registration without gate":   {func(k *Trunk) { k.Gateways, k.Register = nil, Register{Enabled: true, User: "a"} }, "Gateways"},
		"insecure without TLS":        {func(k *Trunk) { k.TLSInsecure = true }, "TlsInsecure"},
		"insecure":                    {func(k *Trunk) { k.TLSInsecure, k.Gateways[0].Transport = true, "TLS" }, ""},
		"encryption":                  {func(k *Trunk) { k.Encryption = "aes" }, "Encryption"},
		"a browser's encryption":      {func(k *Trunk) { k.Encryption = call.EncryptionWebRTC }, "Encryption"},
		"digits":                      {func(k *Trunk) { k.Digits = "pulse" }, "Digits"},
		"probe":                       {func(k *Trunk) { k.ProbeSeconds = 5 }, "ProbeSeconds"},
		"no probe":                    {func(k *Trunk) { k.ProbeSeconds = -1 }, ""},
		"share":                       {func(k *Trunk) { k.MaxCPS, k.CampaignShare = 5, 101 }, "CampaignShare"},
		"share of nothing":            {func(k *Trunk) { k.CampaignShare = 50 }, "CampaignShare"},
		"wideband":                    {func(k *Trunk) { k.Codecs = []string{"OPUS", "G722", "PCMA"} }, ""},
		"route prefix":                {func(k *Trunk) { k.Routes = []Route{{Prefix: "+"}} }, "Routes[0].Prefix"},
		"route country":               {func(k *Trunk) { k.Routes = []Route{{}, {Country: "Korea"}} }, "Routes[1].Country"},
		"route of both":               {func(k *Trunk) { k.Routes = []Route{{Prefix: "+82", Country: "KR"}} }, "Routes[0]"},
		"route weight":                {func(k *Trunk) { k.Routes = []Route{{Weight: -1}} }, "Routes[0].Weight"},
		"routes to nowhere":           {func(k *Trunk) { k.Gateways, k.Routes = nil, []Route{{}} }, "Gateways"},
		"national without a region":   {func(k *Trunk) { k.Identity.Called = FormatNational }, "Region"},
		"national":                    {func(k *Trunk) { k.Identity.Called, k.Region = FormatNational, "KR" }, ""},
		"assert":                      {func(k *Trunk) { k.Identity.Assert = IdentityFrom }, "Identity.Assert"},
		"trust":                       {func(k *Trunk) { k.Identity.Trust = "Via" }, "Identity.Trust"},
		"fixed From without a number": {func(k *Trunk) { k.Identity.FromUser = "acme" }, "Identity.Assert"},
		"number format":               {func(k *Trunk) { k.Identity.Numbers = "roman" }, "Identity.Numbers"},
		"default number":              {func(k *Trunk) { k.Identity.Default = "sales" }, "Identity.Default"},
		"identity domain":             {func(k *Trunk) { k.Identity.Domain = "a>b" }, "Identity.Domain"},
		"anonymous":                   {func(k *Trunk) { k.Identity.Anonymous = "yes" }, "Identity.Anonymous"},
		"diverted":                    {func(k *Trunk) { k.Identity.Diverted = "yes" }, "Identity.Diverted"},
		"a name of 300 letters":       {func(k *Trunk) { k.Gateways[0].Host = strings.Repeat("a", 300) }, "Gateways[0].Host"},
	} {
		t.Run(name, func(t *testing.T) {
			k := &Trunk{Meta: resource.Meta{ID: "t", Name: "t"}, Addresses: []string{"192.0.2.1"}, Gateways: []Gateway{{Host: "sip.carrier.example"}}}
			c.edit(k)
			wantField(t, k.Validate(), c.field)
		})
	}
}
