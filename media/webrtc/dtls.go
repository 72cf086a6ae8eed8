package webrtc

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"

	"ullim/internal/errs"
	"ullim/media/srtp"
)

// HandshakeTime is how long one handshake may take.
const HandshakeTime = 15 * time.Second

const exporter = "EXTRACTOR-dtls_srtp" // RFC 5764 §4.2

// Keys are what a handshake ended in: what we seal and what we open with.
type Keys struct{ Send, Recv srtp.Key }

// Options of an association.
type Options struct {
	Certificate  *Certificate
	Client       bool          // we begin
	Fingerprints []Fingerprint // one of which their certificate must have
	Local, Far   netip.AddrPort
	Send         func(packet []byte) error // to the far end, wherever it is by then
	Done         func(Keys, error)         // once, from a goroutine of the association
}

// Association is one DTLS handshake and what follows it. It lives until Close, to repeat its last words to a far end that
// has lost them; whatever the far end says after the handshake (also that it closes) changes nothing.
type Association struct {
	pipe   *pipe
	cancel context.CancelFunc
	ended  chan struct{}
}

// Start begins. It returns at once.
func Start(o Options) *Association {
	ctx, cancel := context.WithCancel(context.Background())
	a := &Association{pipe: newPipe(o.Local, o.Far, o.Send), cancel: cancel, ended: make(chan struct{})}
	go a.run(ctx, o)
	return a
}

// Feed gives a DTLS packet of the far end to the association. It does not keep it and never blocks.
func (a *Association) Feed(packet []byte) { a.pipe.feed(packet) }

// Close ends the association. It returns at once; Done is not called any more than it was.
func (a *Association) Close() { a.cancel() }

// Ended is closed when nothing of the association runs any more.
func (a *Association) Ended() <-chan struct{} { return a.ended }

func (a *Association) run(ctx context.Context, o Options) {
	defer close(a.ended)
	defer a.cancel()
	conn, keys, err := a.handshake(ctx, o)
	if err != nil {
		_ = a.pipe.Close() // reports nothing
		o.Done(Keys{}, err)
		return
	}
	o.Done(keys, nil)
	var reading sync.WaitGroup
	reading.Go(func() { // application data has no meaning here; somebody must take it
		b := make([]byte, 1500)
		for {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	})
	<-ctx.Done()
	_ = conn.Close() // says good-bye; whether it arrives does not matter
	_ = a.pipe.Close()
	reading.Wait()
}

func (a *Association) handshake(ctx context.Context, o Options) (*dtls.Conn, Keys, error) {
	conn, err := o.open(a.pipe)
	if err != nil {
		return nil, Keys{}, errs.Wrap(err, errs.Internal, "DTLS cannot be begun")
	}
	limit, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	if err = conn.HandshakeContext(limit); err != nil {
		return nil, Keys{}, errors.Join(errs.Wrap(err, errs.Unavailable, "DTLS: no handshake"), conn.Close())
	}
	keys, err := export(conn, o.Client)
	if err != nil {
		return nil, Keys{}, errors.Join(err, conn.Close())
	}
	return conn, keys, nil
}

// open makes the connection; nothing is sent yet. Nobody signs these certificates: the fingerprint is the proof, in both
// roles, so the client must show one too (RFC 5763 §5).
func (o Options) open(p *pipe) (*dtls.Conn, error) {
	prove := dtls.WithVerifyPeerCertificate(func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 || !matches(raw[0], o.Fingerprints) {
			return errs.New(errs.Denied, "DTLS: the certificate has none of the fingerprints of the SDP")
		}
		return nil
	})
	far := net.UDPAddrFromAddrPort(o.Far)
	certificate, suites := dtls.WithCertificates(o.Certificate.pair), dtls.WithSRTPProtectionProfiles(profiles()...)
	unsigned, quiet := dtls.WithInsecureSkipVerify(true), dtls.WithLoggerFactory(silent())
	if o.Client {
		return dtls.ClientWithOptions(p, far, certificate, suites, unsigned, prove, quiet)
	}
	return dtls.ServerWithOptions(p, far, certificate, suites, unsigned, prove, quiet, dtls.WithClientAuth(dtls.RequireAnyClientCert))
}

// export takes the keys out of a finished handshake (RFC 5764 §4.2).
func export(conn *dtls.Conn, client bool) (Keys, error) {
	profile, ok := conn.SelectedSRTPProtectionProfile()
	if !ok {
		return Keys{}, errs.New(errs.Unavailable, "DTLS: no SRTP profile was agreed on")
	}
	suite := srtp.Suite(profile)
	state, ok := conn.ConnectionState()
	if !ok {
		return Keys{}, errs.New(errs.Internal, "DTLS: no state after the handshake")
	}
	b, err := state.ExportKeyingMaterial(exporter, nil, suite.Exported())
	if err != nil {
		return Keys{}, errs.Wrap(err, errs.Internal, "DTLS: no keys")
	}
	ours, theirs, err := srtp.DTLSKeys(suite, b)
	if err != nil {
		return Keys{}, err
	}
	if !client {
		ours, theirs = theirs, ours
	}
	return Keys{Send: ours, Recv: theirs}, nil
}

// profiles are those that we agree to, in our order.
func profiles() []dtls.SRTPProtectionProfile {
	var list []dtls.SRTPProtectionProfile
	for _, s := range srtp.Suites() {
		list = append(list, dtls.SRTPProtectionProfile(s))
	}
	return list
}

// silent logs nothing: what a handshake has to say comes as its error, and strangers shall not fill a log.
func silent() logging.LoggerFactory {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	f.ScopeLevels = map[string]logging.LogLevel{}
	return f
}
