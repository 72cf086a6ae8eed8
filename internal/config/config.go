// Package config is the static configuration: what a node must know before it can open its database. It is read once, at
// start, from a YAML file (all of which may be missing) and from environment variables, which go before the file.
// Everything that changes while calls run (trunks, numbers, flows, queues, users) is in the database instead.
//
// The struct Config is the only description. Its tags give each key its name (yaml), its default, its meaning (doc) and
// its rules (min, max, oneof, form); decoding, checking and the reference page (docs/configuration.md) all read the tags,
// so none of them can disagree.
//
//	config.go     the keys, Default, Load
//	decode.go     YAML nodes and environment variables into the struct, each key's origin remembered
//	prompts.go    where prompts may be fetched from
//	rules.go      the rules of one key, and those between keys
//	reference.go  the reference page
//	secret.go     Secret: never printed; read from file: or env:
//
// Errors are found all at once, not one a run, and each names its file and line (or variable), field and rule.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is the whole configuration.
type Config struct {
	Node       Node       `yaml:"node" doc:"What this node is called."`
	Instance   Instance   `yaml:"instance" doc:"What the first start makes. Later starts only look the alias up; the rest is changed through the API."`
	Data       Data       `yaml:"data" doc:"Where the node keeps its files."`
	HTTP       HTTP       `yaml:"http" doc:"The API, the console, health and metrics."`
	SIP        SIP        `yaml:"sip" doc:"Signalling with carriers and phones."`
	RTP        RTP        `yaml:"rtp" doc:"Audio. Open these UDP ports in the firewall, and the SIP ports."`
	Database   Database   `yaml:"database" doc:"Where contacts, users, flows and all other resources are kept."`
	Recordings Recordings `yaml:"recordings" doc:"Where recordings go when a call has ended."`
	Speech     Speech     `yaml:"speech" doc:"How flows turn text into speech."`
	Prompts    Prompts    `yaml:"prompts" doc:"Uploaded prompts."`
	Chat       Chat       `yaml:"chat" doc:"Chats and tasks."`
	Agent      Agent      `yaml:"agent" doc:"The channel of agents."`
	Egress     Egress     `yaml:"egress" doc:"Calls to addresses that tenants choose: web services that flows call, programs that get live audio. Without anything here they reach only public addresses over TLS, never this machine or its networks."`
	Trace      Trace      `yaml:"trace" doc:"What is kept of calls on the wire, to see why one failed. Credentials, keys of SRTP, pressed keys and texts are never kept."`
	Log        Log        `yaml:"log" doc:"What is logged to standard error."`
	Limits     Limits     `yaml:"limits" doc:"How long things may take."`
}

// Node is the section node.
type Node struct {
	Name string `yaml:"name" default:"ullim" form:"name" doc:"Name of this node in logs and metrics, unique in a cluster."`
}

// Instance is the section instance.
type Instance struct {
	Alias    string `yaml:"alias" default:"ullim" form:"alias" doc:"Alias of the instance, part of the keys of recordings."`
	Zone     string `yaml:"zone" form:"zone" doc:"Time zone of the basic hours of operation, as Asia/Seoul. Empty: the machine's."`
	Language string `yaml:"language" form:"language" doc:"Language that the default flows speak: en-US or ko-KR. Empty: by the machine's locale."`
	Region   string `yaml:"region" form:"region" doc:"Country, as KR, of numbers that come without a country code."`
}

// Data is the section data.
type Data struct {
	Folder string `yaml:"folder" default:"data" form:"required" doc:"Folder of the database, the recordings and the spool, unless they are given a place of their own. Made if it is missing."`
}

// HTTP is the section http.
type HTTP struct {
	Listen string  `yaml:"listen" default:"127.0.0.1:8080" form:"listen" doc:"Address and port. The default is reached from this machine only; give it a certificate or put a TLS proxy in front before you open it."`
	TLS    HTTPTLS `yaml:"tls" doc:"HTTPS, and with it secure WebSocket for browsers (wss://this-node/sip)."`
}

// HTTPTLS is the section http.tls.
type HTTPTLS struct {
	Certificate string `yaml:"certificate" doc:"File with the certificate chain in PEM form, this node's first. Empty: no TLS. Renewed files are noticed without a restart."`
	Key         string `yaml:"key" doc:"File with its private key in PEM form."`
}

// SIP is the section sip.
type SIP struct {
	UDP               []string      `yaml:"udp" default:"0.0.0.0:5060" form:"listen" doc:"Addresses and ports to listen on for UDP."`
	TCP               []string      `yaml:"tcp" default:"0.0.0.0:5060" form:"listen" doc:"Addresses and ports to listen on for TCP."`
	TLS               SIPTLS        `yaml:"tls" doc:"SIP over TLS 1.2 and newer."`
	Origins           []string      `yaml:"websocket_origins" form:"origin" doc:"Hosts of web pages that may speak SIP over WebSocket, beside those that this node serves itself, as console.example.com or https://console.example.com:8443."`
	MaxConnections    int           `yaml:"max_connections" default:"4096" min:"64" max:"1000000" doc:"Connections over TCP, TLS and WebSocket at once. The last eighth is kept for trunks and for hosts that have registered. Each takes a file descriptor."`
	Advertise         string        `yaml:"advertise" form:"host" doc:"Address that carriers and phones reach this node at, in Contact and Via headers: an IP address or host name. Needed behind NAT. Empty: the address of the interface the peer is reached by."`
	Realm             string        `yaml:"realm" default:"ullim" form:"realm" doc:"Realm of digest authentication. Passwords of devices are stored for one realm: after a change every device needs its password set again."`
	MaxCalls          int           `yaml:"max_calls" default:"1000" min:"1" max:"100000" doc:"Calls at once on this node; a call has up to two legs. Further calls are refused with 503."`
	RequestsPerSource float64       `yaml:"requests_per_second_per_source" default:"50" min:"1" max:"100000" doc:"Requests a second from one address (IPv6: /64) that is not a trunk. Twice as many are taken at once after a pause; more are refused."`
	MinExpires        time.Duration `yaml:"min_expires" default:"60s" min:"1s" max:"1h" doc:"Shortest registration that a phone may ask for."`
	MaxExpires        time.Duration `yaml:"max_expires" default:"1h" min:"1m" max:"24h" doc:"Longest registration that is granted."`
	KeepAlive         time.Duration `yaml:"keep_alive" default:"30s" min:"0s" max:"10m" doc:"How often phones behind a NAT on UDP are asked whether they are there: it keeps the NAT open, and three answers missing in a row end the registration. 0s: never."`
	Trusted           []string      `yaml:"trusted" form:"prefix" doc:"IP addresses and prefixes (192.0.2.0/24) of your own proxies and monitors: they have no request limit and are never banned. Trunks need not be named here."`
	StrangersRate     float64       `yaml:"requests_per_second_strangers" default:"2000" min:"10" max:"1000000" doc:"Messages a second from all sources together that are neither a trunk nor a registered phone. More are dropped unread, so that phones keep service in a flood."`
	BanTime           time.Duration `yaml:"ban_time" default:"10m" min:"1s" max:"24h" doc:"How long a source is banned the first time; each further time within a day twice as long, up to a day."`
	SessionExpires    time.Duration `yaml:"session_expires" default:"30m" min:"90s" max:"24h" doc:"Session timer (RFC 4028) that is asked for: a call that is not refreshed in this time is over, so that one whose other end has died does not stay for ever."`
	ContactsPerDevice int           `yaml:"contacts_per_device" default:"5" min:"1" max:"50" doc:"Places where one device may be registered at once. The newest stay."`
}

// SIPTLS is the section sip.tls.
type SIPTLS struct {
	Listen      []string `yaml:"listen" form:"listen" doc:"Addresses and ports to listen on for TLS, usually port 5061. Empty: none."`
	Certificate string   `yaml:"certificate" doc:"File with the certificate chain in PEM form, this node's first. Also shown to trunks that ask for one. Empty: as http.tls. Renewed files are noticed without a restart."`
	Key         string   `yaml:"key" doc:"File with its private key in PEM form. Empty: as http.tls."`
	ClientCA    string   `yaml:"client_ca" doc:"File with certificates in PEM form; whoever connects over TLS must show a certificate that one of them has signed. Empty: nobody must."`
}

// RTP is the section rtp.
type RTP struct {
	Ports     PortRange `yaml:"ports" default:"20000-29999" doc:"UDP ports for audio: the even ones, one for each call leg, and the odd ones behind them for RTCP of far ends that do not multiplex. Keep them out of the system's ephemeral range (Linux: 32768-60999), or other programs take them at times."`
	Bind      string    `yaml:"bind" default:"0.0.0.0" form:"ip" doc:"IP address to bind audio sockets to."`
	Advertise string    `yaml:"advertise" form:"host" doc:"Address for audio in SDP. Empty: as sip.advertise."`

	NeverStarted time.Duration `yaml:"never_started" default:"60s" min:"0s" max:"24h" doc:"A leg from which no audio ever came is ended after this. 0s: never."`
	Stopped      time.Duration `yaml:"stopped" default:"5m" min:"0s" max:"24h" doc:"A leg whose audio has stopped (no RTP, no comfort noise, no RTCP, not on hold) is ended after this. Phones that send nothing in silence need it long. 0s: never."`
	Held         time.Duration `yaml:"held" default:"0s" min:"0s" max:"24h" doc:"A leg on hold, from which no sound is expected, is ended after this time without any packet, RTCP included. 0s: never."`
}

// Database is the section database.
type Database struct {
	Driver         string `yaml:"driver" default:"sqlite" oneof:"sqlite postgres" doc:"SQLite needs nothing and serves one node."`
	URL            Secret `yaml:"url" plain:"ok" doc:"For postgres: postgres://user@host:5432/name, with the password in the URL only as a whole by file: or env: reference. For sqlite: a path; empty: ullim.db in the data folder."`
	MaxConnections int    `yaml:"max_connections" default:"10" min:"2" max:"1000" doc:"Connections to the database at once."`
}

// Chat is the section chat.
type Chat struct {
	Origins  []string `yaml:"origins" form:"origin" doc:"Hosts of web pages that may chat, beside those that this node serves itself, as www.example.com or https://www.example.com:8443. A page that is not named here cannot read what the participant service answers."`
	MaxChats int      `yaml:"max_chats" default:"100" min:"1" max:"100000" doc:"Chats of one instance at once. Further ones are refused."`
	KeepDays int      `yaml:"keep_days" default:"400" min:"0" max:"36500" doc:"How many days what was written in a chat is kept in the database after its end; it can be continued from for so long. Records and the transcript files in the store stay. 0: for ever."`
	MaxTasks int      `yaml:"max_tasks" default:"2500" min:"1" max:"1000000" doc:"Tasks of one instance at once, those that wait for their time included."`
}

// Agent is the section agent.
type Agent struct {
	Origins []string `yaml:"origins" form:"origin" doc:"Hosts of web pages that may use the channel of agents (/agent/v1), beside those that this node serves itself, as panel.example.com or https://panel.example.com:8443."`
}

// Egress is the section egress.
type Egress struct {
	Allow       []string `yaml:"allow" form:"egress" doc:"Networks (10.1.0.0/16), addresses and host names, each with or without a port (hooks.internal:8080), that may be called besides, with http and ws too, on any port unless one is named. The resolver is trusted to say where a name that stands here is."`
	Ports       []string `yaml:"ports" default:"443" form:"port" doc:"Ports that may be called elsewhere."`
	PerInstance int      `yaml:"max_per_instance" default:"128" min:"1" max:"100000" doc:"Calls of one instance under way at once. More wait for as long as they may."`
	PerHost     int      `yaml:"max_per_host" default:"64" min:"1" max:"100000" doc:"Calls of one instance to one host under way at once."`
}

// Trace is the section trace.
type Trace struct {
	Memory    int    `yaml:"memory" default:"33554432" min:"0" max:"4294967296" doc:"Bytes of SIP messages kept in memory, for the trace of a contact in the API. The oldest are forgotten. 0: none."`
	HEP       string `yaml:"hep" form:"hostport" doc:"HOMER collector (HEP version 3 over UDP) that gets a copy of every SIP message, as homer.example.net:9060. Empty: none."`
	HEPAgent  int    `yaml:"hep_agent" default:"2001" min:"1" max:"4294967295" doc:"Capture id of this node."`
	HEPSecret Secret `yaml:"hep_key" doc:"Reference to the collector's password, if it asks for one."`
}

// Log is the section log.
type Log struct {
	Level  string `yaml:"level" default:"info" oneof:"debug info warn error" doc:"Least level to log."`
	Format string `yaml:"format" default:"text" oneof:"text json" doc:"One line an entry for people, or JSON."`
}

// Limits is the section limits.
type Limits struct {
	Drain time.Duration `yaml:"drain" default:"60s" min:"0s" max:"24h" doc:"At SIGTERM, how long calls may go on before they are ended. Meanwhile new calls get 503."`
}

// PortRange is a range of ports, both ends included, written 20000-29999.
type PortRange struct{ Low, High int }

// maxFile bounds the file: a longer one is not a configuration.
const maxFile = 1 << 20

// Default is the configuration without a file and without environment.
func Default() *Config {
	c, _ := load("", nil, nil) // the defaults are checked by a test
	return c
}

// Load reads the file, if path is not empty, and the variables of env ("KEY=value", as os.Environ gives them), and checks
// the result. The error joins one *Error for everything that is wrong.
func Load(path string, env []string) (*Config, error) {
	if path == "" {
		return load("", nil, env)
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		err = errors.New("is larger than 1 MiB")
	}
	if err != nil {
		return nil, &Error{File: path, Rule: cause(err)}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{File: path, Rule: cause(err)}
	}
	return load(path, data, env)
}

func load(path string, data []byte, env []string) (*Config, error) {
	c := &Config{}
	d := newDecoder(path, env)
	d.defaults(c)
	d.yaml(c, data)
	d.environment(c)
	d.rules(c)
	if len(d.errs) > 0 {
		return nil, d.joined()
	}
	return c, nil
}

// DatabasePath is the file of the SQLite database.
func (c *Config) DatabasePath() string {
	if c.Database.URL != "" {
		return c.Database.URL.Reveal()
	}
	return filepath.Join(c.Data.Folder, "ullim.db")
}

// RecordingsFolder is the folder for store files.
func (c *Config) RecordingsFolder() string {
	if c.Recordings.Folder != "" {
		return c.Recordings.Folder
	}
	return filepath.Join(c.Data.Folder, "recordings")
}

// RTPAdvertise is the address for SDP; empty if none is configured.
func (c *Config) RTPAdvertise() string {
	if c.RTP.Advertise != "" {
		return c.RTP.Advertise
	}
	return c.SIP.Advertise
}

// Error is one thing that is wrong, and where.
type Error struct {
	File     string // file, or empty
	Line     int    // in File; 0 if it is about the whole file or a key that is not there
	Variable string // environment variable, if the value came from one
	Field    string // as sip.max_calls
	Rule     string // what must hold
}

// Error is "file:line: field: rule".
func (e *Error) Error() string {
	s := ""
	switch {
	case e.Variable != "":
		s = "environment variable " + e.Variable + ": "
	case e.File != "" && e.Line > 0:
		s = fmt.Sprintf("%s:%d: ", e.File, e.Line)
	case e.File != "":
		s = e.File + ": "
	}
	if e.Field != "" {
		s += e.Field + ": "
	}
	return s + e.Rule
}

// joined is all errors in the order of the file, those of variables last.
func (d *decoder) joined() error {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(strings.Compare(a.Variable, b.Variable), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, len(d.errs))
	for i, e := range d.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// cause is an error without the path that the *Error names already.
func cause(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
