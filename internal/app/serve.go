package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"ullim/internal/config"
	"ullim/internal/egress"
	"ullim/internal/telemetry"
	"ullim/media"
	"ullim/sip"
	"ullim/storage"
)

// Server is an App with its HTTP side, as `ullim serve` runs it.
type Server struct {
	app    *App
	http   *http.Server
	failed chan error
	log    *slog.Logger
	lines  *telemetry.Gatherer // of the log
}

// Serve starts the engine of a configuration. What the first start makes (the administrator's password and keys) is
// printed to out, once. Logs go to logs.
func Serve(ctx context.Context, cfg *config.Config, out, logs io.Writer) (s *Server, err error) {
	lines := telemetry.Gather(logs)
	defer func() {
		if err != nil {
			_ = lines.Flush() // the error is what counts
		}
	}()
	log, err := telemetry.NewLogger(lines, cfg.Log.Level, cfg.Log.Format)
	if err != nil {
		return nil, err
	}
	o, err := optionsOf(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	a, err := New(ctx, o)
	if err != nil {
		closeSockets(o)
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.HTTP.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("http.listen: %w", err), a.Close())
	}
	handler, err := a.handler()
	if err != nil {
		return nil, errors.Join(err, listener.Close(), a.Close())
	}
	s = &Server{app: a, log: log, lines: lines, failed: make(chan error, 1), http: &http.Server{
		Handler: a.withWebSocket(handler), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, WriteTimeout: 5 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	a.Start()
	go func() {
		if err := serveHTTP(s.http, listener, o.Listening.HTTPTLS); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("http: %w", err)
		}
	}()
	s.announce(out, o, listener.Addr())
	return s, nil
}

// Failed gives the error of a part that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// announce says where everything is, and what is shown only once.
func (s *Server) announce(out io.Writer, o Options, addr net.Addr) {
	fmt.Fprintf(out, "ullim %s is up: HTTP on %s://%s", Version(), o.Listening.scheme(), addr)
	for _, c := range o.Packets {
		fmt.Fprintf(out, ", SIP on udp %s", c.LocalAddr())
	}
	for _, l := range o.Listeners {
		fmt.Fprintf(out, ", SIP on tcp %s", l.Addr())
	}
	for _, l := range o.Listening.Secure {
		fmt.Fprintf(out, ", SIP on tls %s", l.Addr())
	}
	fmt.Fprintf(out, ", data in %s\n", o.DataDir)
	c := s.app.Created
	if c == nil {
		return
	}
	fmt.Fprintf(out, `
First start: instance %q (%s) was made. This is shown once and stored nowhere:

  administrator      %s
  one-time password  %s
  access key id      %s
  secret access key  %s
  bearer token       %s

`, c.InstanceName, c.InstanceID, c.Username, c.Password, c.AccessKeyID, c.SecretKey, c.Token)
}

// Shutdown drains and stops: readiness fails at once, new calls get 503, live ones go on until ctx ends. When it
// returns every contact record and every recording file is final.
func (s *Server) Shutdown(ctx context.Context) error {
	s.app.Drain(ctx)
	bounded, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	herr := s.http.Shutdown(bounded)
	if errors.Is(herr, context.DeadlineExceeded) {
		herr = s.http.Close()
	}
	return errors.Join(herr, s.app.Close(), s.lines.Flush())
}

// optionsOf opens the sockets that a configuration names.
func optionsOf(ctx context.Context, cfg *config.Config, log *slog.Logger) (o Options, err error) {
	o = Options{
		Node: cfg.Node.Name, DataDir: cfg.Data.Folder, Log: log,
		Instance: InstanceSpec{
			Alias: cfg.Instance.Alias, Zone: cmp.Or(cfg.Instance.Zone, localZone()),
			Language: cmp.Or(cfg.Instance.Language, localLanguage()), Region: cfg.Instance.Region,
		},
		Database:  databaseOf(cfg),
		Advertise: cfg.SIP.Advertise, Realm: cfg.SIP.Realm, RequestRate: cfg.SIP.RequestsPerSource, SessionTimer: cfg.SIP.SessionExpires, MaxCalls: cfg.SIP.MaxCalls,
		MinExpires: cfg.SIP.MinExpires, MaxExpires: cfg.SIP.MaxExpires, MaxContacts: cfg.SIP.ContactsPerDevice,
		RTPFirst: uint16(cfg.RTP.Ports.Low), RTPLast: uint16(cfg.RTP.Ports.High), // config checks the range
		Dead:  media.DeadPolicy{NeverStarted: orNever(cfg.RTP.NeverStarted), Stopped: orNever(cfg.RTP.Stopped), Held: orNever(cfg.RTP.Held)},
		Agent: AgentOptions{Origins: cfg.Agent.Origins},
		Chat:  ChatOptions{Origins: cfg.Chat.Origins, MaxChats: cfg.Chat.MaxChats, MaxTasks: cfg.Chat.MaxTasks, KeepDays: cfg.Chat.KeepDays},
		Trace: TraceOptions{Memory: cfg.Trace.Memory, HEP: cfg.Trace.HEP, HEPAgent: uint32(cfg.Trace.HEPAgent), HEPKey: cfg.Trace.HEPSecret.Reveal()},
	}
	if o.Synthesizer, err = synthesizerOf(cfg.Speech, log); err != nil {
		return o, err
	}
	o.KeepAlive = cfg.SIP.KeepAlive
	o.Egress = egressOf(cfg)
	o.Trust = sip.TrustOptions{StrangerRate: 2 * cfg.SIP.RequestsPerSource, StrangersRate: cfg.SIP.StrangersRate, BanFor: cfg.SIP.BanTime}
	for _, text := range cfg.SIP.Trusted {
		p, ok := prefixOf(text)
		if !ok {
			return o, fmt.Errorf("sip.trusted: %q is neither an IP address nor a prefix", text)
		}
		o.Trust.Allow = append(o.Trust.Allow, p)
	}
	if err = os.MkdirAll(cfg.Data.Folder, 0o750); err != nil {
		return o, err
	}
	if o.RTPBind, err = netip.ParseAddr(cfg.RTP.Bind); err != nil {
		return o, fmt.Errorf("rtp.bind: %w", err)
	}
	if o.RTPAdvertise, err = advertisedAddr(ctx, cfg, o.RTPBind); err != nil {
		return o, err
	}
	if err = recordingOptions(cfg, &o); err != nil {
		return o, err
	}
	if o.PromptBuckets, err = promptBucketsOf(cfg); err != nil {
		return o, err
	}
	defer func() {
		if err != nil {
			closeSockets(o)
		}
	}()
	if o.Listening, err = openTLS(ctx, cfg, log); err != nil {
		return o, err
	}
	var lc net.ListenConfig
	for _, addr := range cfg.SIP.UDP {
		c, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return o, fmt.Errorf("sip.udp: %w", err)
		}
		if u, ok := c.(*net.UDPConn); ok { // a burst of calls waits here; the system may give less
			_ = u.SetReadBuffer(signallingBuffer)
		}
		o.Packets = append(o.Packets, c)
	}
	for _, addr := range cfg.SIP.TCP {
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return o, fmt.Errorf("sip.tcp: %w", err)
		}
		o.Listeners = append(o.Listeners, l)
	}
	return o, nil
}

// egressOf says what tenants may call.
func egressOf(cfg *config.Config) egress.Options {
	o := egress.Options{Allow: cfg.Egress.Allow, PerInstance: cfg.Egress.PerInstance, PerHost: cfg.Egress.PerHost}
	for _, text := range cfg.Egress.Ports {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil { // config checks it
			o.Ports = append(o.Ports, uint16(n))
		}
	}
	return o
}

// orNever is how a policy says what a person writes as 0s.
func orNever(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

// signallingBuffer is what the system is asked to hold of SIP messages that were not read yet.
const signallingBuffer = 4 << 20

func closeSockets(o Options) {
	for _, c := range o.Packets {
		_ = c.Close()
	}
	for _, l := range o.Listeners {
		_ = l.Close()
	}
	_ = o.Listening.close()
}

func databaseOf(cfg *config.Config) storage.Options {
	o := storage.Options{Driver: cfg.Database.Driver, URL: cfg.Database.URL.Reveal(), MaxConns: cfg.Database.MaxConnections}
	if o.Driver == storage.SQLite {
		o.URL = cfg.DatabasePath()
	}
	return o
}

// advertisedAddr is the address for SDP: as configured, else the bound one, else that of the first interface that is up
// and not loopback.
func advertisedAddr(ctx context.Context, cfg *config.Config, bind netip.Addr) (netip.Addr, error) {
	if host := cfg.RTPAdvertise(); host != "" {
		if a, err := netip.ParseAddr(host); err == nil {
			return a, nil
		}
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return netip.Addr{}, fmt.Errorf("rtp.advertise: %w", err)
		}
		return found[0].Unmap(), nil
	}
	if !bind.IsUnspecified() {
		return bind, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			if ip, ok := netip.AddrFromSlice(n.IP.To4()); ok {
				return ip, nil
			}
		}
	}
	return netip.MustParseAddr("127.0.0.1"), nil
}

// localLanguage is Korean where the machine's locale is, else English.
func localLanguage() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); len(v) >= 2 {
			if v[:2] == "ko" {
				return "ko-KR"
			}
			return "en-US"
		}
	}
	return "en-US"
}

// Version is the version of the build.
func Version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "(devel)"
}

// VerboseLog is a logger for commands that are silent unless asked.
func VerboseLog(w io.Writer, verbose bool) *slog.Logger {
	if verbose {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// Migrate brings the database of a configuration up to date.
func Migrate(ctx context.Context, cfg *config.Config, out io.Writer) error {
	if cfg.Database.Driver == storage.SQLite {
		if err := os.MkdirAll(filepath.Dir(cfg.DatabasePath()), 0o750); err != nil {
			return err
		}
	}
	db, err := storage.Open(ctx, databaseOf(cfg))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the database is at version %d\n", storage.SchemaVersion())
	return db.Close()
}

// NewUserKey makes a new access key of a user, for an administrator who has lost theirs.
func NewUserKey(ctx context.Context, cfg *config.Config, alias, username string, out io.Writer) error {
	a := &App{o: Options{DataDir: cfg.Data.Folder, Database: databaseOf(cfg)}, log: slog.New(slog.DiscardHandler), metrics: telemetry.New()}
	a.life.log = a.log
	if err := a.openStorage(ctx); err != nil {
		return err
	}
	err := a.printNewKey(ctx, alias, username, out)
	return errors.Join(err, a.life.stop())
}

func (a *App) printNewKey(ctx context.Context, alias, username string, out io.Writer) error {
	if err := a.openSealer(); err != nil {
		return err
	}
	inst, err := a.findInstance(ctx, alias)
	if err != nil {
		return err
	}
	if inst == nil {
		return fmt.Errorf("there is no instance %q in this database", alias)
	}
	user, err := a.stores.users.GetByName(ctx, inst.ID, username)
	if err != nil {
		return err
	}
	key, err := a.newKey(ctx, inst.ID, user.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "access key id      %s\nsecret access key  %s\nbearer token       %s\n", key.ID, key.Secret, key.Token)
	return nil
}
