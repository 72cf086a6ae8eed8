package app

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"ullim/internal/egress"
	"ullim/prompts"
	"ullim/sip/siptest"
	"ullim/storage"
)

// outsideHost is where web services and programs of tenants are, for the tests of what the engine calls.
const outsideHost = "10.0.0.3"

// newVirtualTrial puts the whole engine on an in-memory network, inside a synctest bubble. The engine is at 10.0.0.1,
// all phones and the carrier at 10.0.0.2.
func newVirtualTrial(t *testing.T, faults siptest.NetworkOptions) (*trial, *siptest.Network) {
	t.Helper()
	network := siptest.NewNetwork(faults)
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("ULLIM_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	tr := newTrial(TryOptions{Out: &bytes.Buffer{}, Dir: t.TempDir(), Language: "en-US", Log: log})
	tr.listen, tr.share = network.Listen, 0.9
	tr.phones.Local = "10.0.0.2:0"
	conn, err := network.Listen("10.0.0.1:5060")
	if err != nil {
		t.Fatal(err)
	}
	err = tr.serve(t.Context(), Options{
		Packets: []net.PacketConn{conn}, RTPBind: netip.MustParseAddr("10.0.0.1"), RTPFirst: 20000, RTPLast: 20198,
		RTPListen:   func(a netip.AddrPort) (net.PacketConn, error) { return network.Listen(a.String()) },
		Synthesizer: prompts.ToneSynthesizer{}, Database: storage.Options{URL: storage.Memory},
		Egress: egress.Options{Allow: []string{outsideHost}, Dial: func(ctx context.Context, _, address string) (net.Conn, error) {
			to, parseErr := netip.ParseAddrPort(address)
			if parseErr != nil {
				return nil, parseErr
			}
			return network.DialStream(ctx, netip.MustParseAddr("10.0.0.1"), to)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr, network
}

// finish closes a trial and proves that nothing is left: no dialog, transaction, media session, port, call, reservation;
// the bubble itself proves that no goroutine is.
func finish(t *testing.T, tr *trial, network *siptest.Network) {
	t.Helper()
	time.Sleep(2 * time.Minute) // 64*T1 for every transaction, and everybody's after-contact work
	for name, a := range tr.agents {
		if err := tr.stage.status(t.Context(), a.userID, offlineName); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	synctest.Wait()
	if s := tr.app.sip.Stats(); s.Legs != 0 || s.Transactions != 0 || s.Panics != 0 || s.Overflows != 0 {
		t.Errorf("signalling is not at rest: %+v", s)
	}
	if s := tr.app.plane.Stats(); s.Sessions != 0 || s.PortsInUse != 0 || s.Recordings != 0 {
		t.Errorf("media is not at rest: %+v", s)
	}
	if n := tr.app.calls.Count(); n != 0 {
		t.Errorf("%d calls are up", n)
	}
	left, err := tr.app.db.Reservations(t.Context(), tr.stage.id)
	if err != nil || len(left) != 0 {
		t.Errorf("reservations left: %+v, %v", left, err)
	}
	if open, err := tr.app.db.OpenContacts(t.Context(), tr.app.o.Node); err != nil || len(open) != 0 {
		t.Errorf("contacts left open: %v, %v", open, err)
	}
	tr.close()
	if err := network.Close(); err != nil {
		t.Error(err)
	}
}

func TestTheFiveCallsOfTheDemoInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, network := newVirtualTrial(t, siptest.NetworkOptions{Seed: 1, Delay: 2 * time.Millisecond})
		if err := tr.setUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tr.play(t.Context()); err != nil {
			t.Error(err)
		}
		if tr.report(context.Background()) > 0 {
			t.Errorf("checks failed:\n%s", tr.o.Out)
		}
		finish(t, tr, network)
	})
}
